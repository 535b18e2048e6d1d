package readme

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// longest is how long one command may take: the first commands build.
const longest = 10 * time.Minute

// session is a person who follows a README.
type session struct {
	root     string   // a copy of the sources
	folder   string   // their current folder
	home     string   // for state, and the robot.yaml that a program leaves
	env      []string // of every command
	exported []string // set by a command for those that follow
	host     *internet.Host
	running  []*harness.Process
	browser  *harness.Browser         // nil until a page is opened
	pages    map[string]*harness.Page // by address
}

// start copies the sources and makes a network for one README.
func start(t *testing.T) *session {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: network namespaces need root. The commands of this README are not tested")
	}
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	copied := exec.Command("bash", "-c", `set -e
cd "$1"; git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d "" f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done |
	xargs -0 cp --parents -t "$2"
cp -rL bin "$2/"`, "bash", source, root)
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("copy the sources: %v: %s", err, out)
	}
	linkVenv(t, root)
	home := t.TempDir()
	outside := internet.Start(t, internet.Config{})
	host := outside.Host(t)
	host.JoinBackbone(t, outside) // WebRTC of browsers that share their camera wants a network interface besides loopback
	return &session{root: root, folder: root, home: home, host: host, env: []string{
		"XDG_STATE_HOME=" + home, "PATH=" + root + "/bin:" + root + "/bin/tools:" + os.Getenv("PATH"),
		// With these flags, the build cache of `make build` is valid in any folder.
		"GOFLAGS=-trimpath -tags=grpcnotrace",
		"WALDO_FIRMWARE=" + os.Getenv("WALDO_FIRMWARE"), "PYTHONUNBUFFERED=1",
	}, pages: make(map[string]*harness.Page)}
}

// linkVenv gives the copy the Python packages of the tests, which `make venv` has installed.
func linkVenv(t *testing.T, root string) {
	t.Helper()
	python := os.Getenv("WALDO_PYTHON")
	if python == "" {
		return
	}
	if err := os.MkdirAll(filepath.Join(root, "build"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(filepath.Dir(python)), filepath.Join(root, "build/venv")); err != nil {
		t.Fatal(err)
	}
}

// inside is a shell that runs a script in the session's network and folder.
func (s *session) inside(script string) (program string, args []string) {
	return s.host.Command("bash", "-c", "cd '"+s.folder+"'\n"+script)
}

// run runs a command to its end, in the network of the session or of the machine, and returns its output.
func (s *session) run(t *testing.T, script string, online bool) (out string, err error) {
	t.Helper()
	where := filepath.Join(s.home, "folder")
	script += "\nstatus=$?; pwd > '" + where + "'; exit $status"
	program, args := s.inside(script)
	if online {
		program, args = "bash", []string{"-c", "cd '" + s.folder + "'\n" + script}
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = slices.Concat(os.Environ(), s.env, s.exported)
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	cmd.WaitDelay = time.Second // for programs that it left in the background
	err = cmd.Run()
	if now, readErr := os.ReadFile(where); readErr == nil {
		s.folder = strings.TrimSpace(string(now))
	}
	return printed.String(), err
}

// leave starts a command and leaves it running until end.
func (s *session) leave(t *testing.T, script string) *harness.Process {
	t.Helper()
	program, args := s.inside("exec " + script)
	if strings.ContainsAny(script, "\n=") {
		program, args = s.inside(script)
	}
	p := harness.Start(t, slices.Concat(s.env, s.exported), program, args...)
	s.running = append(s.running, p)
	return p
}

// end stops all running commands, newest first, as Ctrl-C in each terminal does.
func (s *session) end(t *testing.T) {
	t.Helper()
	for _, p := range slices.Backward(s.running) {
		s.interrupt(t, p)
	}
	s.running = nil
}

// interrupt stops a command with all that it has started. It is told once, as by Ctrl-C: to be told twice means to
// hurry in many programs.
func (*session) interrupt(t *testing.T, p *harness.Process) {
	t.Helper()
	_ = syscall.Kill(-p.PID(), syscall.SIGINT) // it may have ended already
	select {
	case <-p.Done():
	case <-time.After(harness.Patience):
		p.Stop(t)
	}
}

// open opens a page in Chromium, or returns it if it is open.
func (s *session) open(t *testing.T, url string) *harness.Page {
	t.Helper()
	if s.browser == nil {
		tone := harness.WriteWAV(t, harness.Sine(1000, 0.25, time.Second))
		s.browser = harness.StartBrowser(t, harness.WithMicrophone(tone), harness.OnHost(t, s.host))
	}
	if s.pages[url] == nil {
		s.pages[url] = s.browser.Open(t, url)
	}
	return s.pages[url]
}

// device is what `waldo ls --json` reports about a device.
func (s *session) device(t *testing.T, name string) (d harness.Device, err error) {
	t.Helper()
	out, err := s.run(t, "bin=$PWD; while [ ! -x $bin/bin/waldo ]; do bin=${bin%/*}; done; $bin/bin/waldo ls --json "+
		"2>/dev/null", false)
	if err != nil {
		return d, fmt.Errorf("waldo ls: %w: %s", err, out)
	}
	var all []harness.Device
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return d, fmt.Errorf("waldo ls: %w: %s", err, out)
	}
	for _, d := range all {
		if d.Name == name {
			return d, nil
		}
	}
	return d, fmt.Errorf("no device %s in %s", name, out)
}

var placeholder = regexp.MustCompile(`(127\.0\.0\.1:)?<([A-Za-z]+)>`)

// fill puts the addresses of a device in place of <GRPC>, <METRICS>, or the name of a device in the README.
func (s *session) fill(t *testing.T, text, device string) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		name := placeholder.FindStringSubmatch(p)[2]
		of := device
		if name != "GRPC" && name != "METRICS" {
			of = name
		}
		var d harness.Device
		harness.Until(t, "device "+of+" is there", func() (err error) {
			d, err = s.device(t, of)
			return err
		})
		if name == "METRICS" {
			return d.MetricsAddress
		}
		return d.GRPCAddress
	})
}
