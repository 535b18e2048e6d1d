package harness

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// Robot is a robot that `waldo up` runs.
type Robot struct {
	*Process
	// URL of the page, without a slash at the end.
	URL string
	// NATS is the URL of the bus.
	NATS string

	place place    // nil: this machine
	file  string   // robot.yaml
	env   []string // of its programs
	waldo string   // the program
}

// Options describe the robot to run. The zero value is one camera `front` with a moving test card of 640x480 at 30
// fps.
type Options struct {
	// Name of the robot; "e2e" if empty.
	Name string
	// Devices is the YAML under `devices:`, one device a line.
	Devices string
	// Gateway holds more keys of the gateway, each preceded by a comma: `, maxViewers: 2`.
	Gateway string
	// Drive is the YAML of the section `drive:`; without it the page cannot drive.
	Drive string
	// TLS is the value of the key `tls:`; empty for none.
	TLS string
	// Fleet is the YAML of the section `fleet:`, by which the robot connects to a hub; empty: it does not.
	Fleet string
	// NATS is the URL of a bus that already runs; otherwise one is embedded.
	NATS string
	// Bin is the folder of the robot's programs; the build under test if empty.
	Bin string
	// Network is where the robot runs, with a page that requires Token; nil means this machine, on loopback and without
	// a token.
	Network *Network
	// Host is where the robot runs instead, as on a Network, but on all addresses of the host.
	Host *internet.Host
	// Env is added to the environment of the robot's programs.
	Env []string
}

// Token is the token that a robot on a Network requires.
const Token = "the-token-of-the-test"

// StartRobot runs a robot and returns when its page is served.
func StartRobot(tb testing.TB, o Options) *Robot {
	tb.Helper()
	if o.Devices == "" {
		o.Devices = `front: {kind: camera, source: test, width: 640, height: 480, fps: 30}`
	}
	r := &Robot{NATS: o.NATS, place: o.Network}
	if o.Host != nil {
		r.place = onHost{o.Host}
	}
	http, found := r.where().address(tb)
	ice, _ := r.where().address(tb)
	r.URL = "http://" + found
	bus := "url: " + o.NATS
	if r.waldo = o.Bin; o.Bin == "" {
		r.waldo = Bin(tb, "waldo")
	} else {
		r.waldo = program(tb, o.Bin, "waldo")
	}
	r.env = append(append(r.where().secret(), o.Env...), "XDG_STATE_HOME="+tb.TempDir())
	if o.NATS == "" {
		address := FreeAddress(tb)
		r.NATS, bus = "nats://"+address, fmt.Sprintf("listen: %q", address)
	}
	var devices strings.Builder
	for line := range strings.Lines(o.Devices) {
		line = strings.TrimSpace(line)
		if !strings.Contains(line, "grpc:") {
			line = strings.Replace(line, "{", `{grpc: "127.0.0.1:0", `, 1)
		}
		fmt.Fprintf(&devices, "  %s\n", line)
	}
	if o.Drive != "" {
		o.Drive = "drive: " + o.Drive + "\n"
	}
	if o.TLS != "" {
		o.Drive += "tls: " + o.TLS + "\n"
	}
	if o.Fleet != "" {
		o.Drive += "fleet: " + o.Fleet + "\n"
	}
	r.file = WriteFile(tb, "robot.yaml", fmt.Sprintf("robot: %s\ndevices:\n%sgateway: {http: %q, ice: %q%s}\nnats: "+
		"{%s}\n%s",
		cmp.Or(o.Name, "e2e"), devices.String(), http, ice, o.Gateway, bus, o.Drive))
	r.up(tb)
	tb.Cleanup(func() { checkRefusals(tb, r) })
	return r
}

// checkRefusals fails the test if the bus has refused a process of the robot what it needs.
func checkRefusals(tb testing.TB, r *Robot) {
	tb.Helper()
	for line := range strings.Lines(r.Output()) {
		if strings.Contains(line, "the bus does not allow this process") {
			tb.Errorf("a process of the robot lacks a permission (pkg/bus/permissions): %s", line)
		}
	}
}

// up runs the robot and returns when its page is served.
func (r *Robot) up(tb testing.TB) {
	tb.Helper()
	program, args := r.where().command(r.waldo, "up", r.file)
	r.Process = Start(tb, r.env, program, args...)
	r.WaitServing(tb)
}

// Restart ends the launcher as a crash would, and with it all of the robot's processes, and runs the robot again.
func (r *Robot) Restart(tb testing.TB) {
	tb.Helper()
	r.Kill(tb)
	r.up(tb)
}

func (r *Robot) where() place {
	if r.place == nil {
		return (*Network)(nil)
	}
	return r.place
}

// StartBus runs a bus alone, at a known address, so that the test can kill and restart it.
func StartBus(tb testing.TB, address string) *Process {
	tb.Helper()
	return Start(tb, nil, Bin(tb, "waldo"), "bus", "--listen", address)
}

// WaitServing returns when the page is served.
func (r *Robot) WaitServing(tb testing.TB) {
	tb.Helper()
	Until(tb, "the page is served", func() error {
		response, err := r.where().client().Get(r.URL + "/healthz")
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

// Device is what `waldo ls --json` prints of a device.
type Device struct {
	Robot          string `json:"robot"`
	Name           string `json:"name"`
	Kind           string `json:"kind"`
	State          string `json:"state"`
	PID            int    `json:"pid"`
	GRPCAddress    string `json:"grpc_address"`
	MetricsAddress string `json:"metrics_address"`
	Epoch          string `json:"epoch"`

	StateReason string            `json:"state_reason"`
	Attributes  map[string]string `json:"attributes"`
}

// Devices runs `waldo ls --json`.
func (r *Robot) Devices(tb testing.TB) []Device {
	tb.Helper()
	var devices []Device
	out := r.Waldo(tb, "ls", "--json")
	if err := json.Unmarshal([]byte(out), &devices); err != nil {
		tb.Fatalf("waldo ls --json: %v in:\n%s", err, out)
	}
	return devices
}

// Waldo runs the command line of the robot's user, and returns what it prints.
func (r *Robot) Waldo(tb testing.TB, args ...string) string {
	tb.Helper()
	waldo := r.waldo
	if waldo == "" { // the test runs the robot's processes itself
		waldo = Bin(tb, "waldo")
	}
	program, args := r.where().command(waldo, args...)
	return Run(tb, append(r.where().secret(), "WALDO_NATS="+r.NATS), program, args...)
}

// Link is the link to the robot's page through its rendezvous server, with the token.
func (r *Robot) Link(tb testing.TB) string {
	tb.Helper()
	program, args := r.where().command(r.waldo, "link", "--token", r.file)
	return strings.TrimSpace(Run(tb, r.env, program, args...))
}

// Device waits until a device is ready and returns it.
func (r *Robot) Device(tb testing.TB, name string) Device {
	tb.Helper()
	var found Device
	Until(tb, "device "+name+" is ready", func() error {
		for _, d := range r.Devices(tb) {
			if d.Name == name && strings.Contains(strings.ToLower(d.State), "ready") {
				found = d
				return nil
			}
		}
		return fmt.Errorf("not among %v", r.Devices(tb))
	})
	return found
}

// Gateway is the process id of the gateway.
func (r *Robot) Gateway(tb testing.TB) int {
	tb.Helper()
	pids := Children(tb, r.PID(), "waldo-gateway")
	if len(pids) != 1 {
		tb.Fatalf("waldo-gateway runs %d times", len(pids))
	}
	return pids[0]
}

// Crash ends any process as a crash would.
func Crash(tb testing.TB, pid int) {
	tb.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		tb.Fatal(err)
	}
}

// Freeze stops a process without ending it, until resume or the end of the test.
func Freeze(tb testing.TB, pid int) (resume func()) {
	tb.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
	resume = func() { _ = syscall.Kill(pid, syscall.SIGCONT) } // the process may have ended meanwhile
	tb.Cleanup(resume)
	return resume
}

// Run runs a program to its end and returns its output. It fails the test if the program fails.
func Run(tb testing.TB, env []string, program string, args ...string) string {
	tb.Helper()
	out, err := TryRun(env, program, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// TryRun runs a program to its end and returns its output, and an error with all that it said if it fails.
func TryRun(env []string, program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = environment(env)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out,
			stderr.String())
	}
	return string(out), nil
}

// WriteFile writes a file into a temporary folder of the test and returns its path.
func WriteFile(tb testing.TB, name, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
