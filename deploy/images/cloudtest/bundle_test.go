package cloudtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// patience bounds every wait. It is generous, because the machine may be busy.
const patience = time.Minute

// images returns the folder of the images under test.
func images(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("WALDO_IMAGES")
	if folder == "" {
		t.Skip("runs by deploy/images/check: make images-test")
	}
	return folder
}

// command runs a program of the host and returns what it has printed.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// unpack makes a bundle for an OCI runtime of an image: skopeo chooses this machine's one, umoci unpacks it.
func unpack(t *testing.T, image string) (bundle string) {
	t.Helper()
	folder := t.TempDir()
	command(t, "skopeo", "copy", "--quiet", "oci-archive:"+filepath.Join(images(t), image+".tar"),
		"oci:"+folder+"/one:one")
	bundle = filepath.Join(folder, "bundle")
	command(t, "umoci", "unpack", "--image", folder+"/one:one", bundle)
	return bundle
}

// container is a container that runs, or did.
type container struct {
	t      *testing.T
	id     string
	root   string // of crun's own state
	runner *exec.Cmd
	said   log
	exited chan struct{} // closed when it has ended
	err    error         // how, once exited is closed
}

// run runs an image as a workload, in the network of the test, until the end of the test at the latest.
func run(t *testing.T, w workload, more ...mount) *container {
	t.Helper()
	bundle := unpack(t, w.image)
	configure(t, bundle, w, more)
	c := &container{t: t, id: fmt.Sprintf("waldo-%s-%d", w.image, os.Getpid()), root: t.TempDir(),
		exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel ends the runtime with the thread that has started it, so the thread waits here.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		c.runner = exec.Command("crun", "--root", c.root, "--cgroup-manager", "disabled", "run", "--bundle", bundle, c.id)
		c.runner.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		c.runner.Stdout, c.runner.Stderr = &c.said, &c.said
		if err := c.runner.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		c.err = c.runner.Wait()
		close(c.exited)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", w.image, c.said.text())
		}
	})
	return c
}

// configure makes a bundle run as the workload says, and fails the test if the image's own user is not the one
// expected.
func configure(t *testing.T, bundle string, w workload, more []mount) {
	t.Helper()
	file := filepath.Join(bundle, "config.json")
	var spec specs.Spec
	if err := json.Unmarshal(read(t, file), &spec); err != nil {
		t.Fatal(err)
	}
	if spec.Process.User.UID != 65532 || spec.Process.User.GID != 65532 {
		t.Errorf("the user of %s is %+v", w.image, spec.Process.User)
	}
	spec.Process.Args = append(spec.Process.Args[:1:1], w.arguments...)
	spec.Process.Terminal = false
	spec.Root.Readonly = w.readOnly
	if w.confined {
		spec.Process.Capabilities, spec.Process.NoNewPrivileges = &specs.LinuxCapabilities{}, true
	}
	// The containers share the network of the test, which has loopback only.
	spec.Linux.Namespaces = slices.DeleteFunc(spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == specs.NetworkNamespace || n.Type == specs.CgroupNamespace
	})
	// Only what the workload names can be written to. Engines disagree on whether a volume of the image may be.
	spec.Mounts = slices.DeleteFunc(spec.Mounts, func(m specs.Mount) bool {
		return m.Type == "cgroup" || m.Destination == "/var/lib/waldo" || m.Destination == "/sys"
	})
	spec.Linux.Resources = nil
	for _, m := range slices.Concat(w.mounts, more) {
		options := []string{"rbind", "nosuid", "nodev", "noexec"}
		if m.readOnly {
			options = append(options, "ro")
		}
		spec.Mounts = append(spec.Mounts,
			specs.Mount{Destination: m.target, Source: m.source, Type: "bind", Options: options})
	}
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// status returns the lines of /proc/PID/status of the container's program, by their names.
func (c *container) status() map[string]string {
	c.t.Helper()
	var state struct{ Pid int }
	if err := json.Unmarshal([]byte(command(c.t, "crun", "--root", c.root, "state", c.id)), &state); err != nil {
		c.t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(read(c.t, "/proc/"+strconv.Itoa(state.Pid)+"/status"))) {
		name, value, _ := strings.Cut(line, ":")
		found[name] = strings.Join(strings.Fields(value), " ")
	}
	return found
}

// checkConfined checks that the program is nobody who may do something.
func (c *container) checkConfined() {
	c.t.Helper()
	status := c.status()
	for name, want := range map[string]string{"Uid": "65532 65532 65532 65532", "Gid": "65532 65532 65532 65532",
		"CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1"} {
		if status[name] != want {
			c.t.Errorf("%s: %s is %q, want %q", c.id, name, status[name], want)
		}
	}
}

// stop stops the container as engines do, and expects that it ends in order. It may be called more than once.
func (c *container) stop() {
	c.t.Helper()
	select {
	case <-c.exited:
		return
	default:
	}
	_ = exec.Command("crun", "--root", c.root, "kill", c.id, "TERM").Run() // it may just have ended
	select {
	case <-c.exited:
		if c.err != nil {
			c.t.Errorf("%s ended with %v", c.id, c.err)
		}
	case <-time.After(patience):
		c.t.Errorf("%s does not end", c.id)
		_ = exec.Command("crun", "--root", c.root, "kill", c.id, "KILL").Run()
		<-c.exited
	}
}

// eventually waits until a condition holds. It polls: what is in a container has no events for a test.
func (c *container) eventually(what string, condition func() bool) {
	c.t.Helper()
	start := time.Now()
	for !condition() {
		select {
		case <-c.exited:
			c.t.Fatalf("%s: %s has ended: %v", what, c.id, c.err)
		default:
		}
		if time.Since(start) > patience {
			c.t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.t.Logf("%s after %.2f s", what, time.Since(start).Seconds())
}

// log is what a container has said so far.
type log struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}
