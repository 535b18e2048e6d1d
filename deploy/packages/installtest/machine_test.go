package installtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of a test. It is generous, because the host may be busy.
const patience = 2 * time.Minute

// machines counts those that were switched on.
var machines atomic.Int64

// machine is a Debian system of its own, in a folder.
type machine struct {
	t      testing.TB
	root   string
	disk   string        // the file in which its file system is; empty if that is in memory
	pid    int           // its process 1, as the host counts; 0 while it is off
	nspawn *exec.Cmd     // what holds it
	exited chan struct{} // closed when nspawn has ended
	log    bytes.Buffer  // its console, complete once exited is closed
}

// newMachine returns a machine that is off, with nothing of Waldo installed. Its disk has a size in MB.
func newMachine(t testing.TB, size int) *machine {
	t.Helper()
	image := rootImage(t)
	m := &machine{t: t, root: t.TempDir()}
	run(t, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=755", size), "waldo-packages", m.root)
	t.Cleanup(func() { run(t, "umount", "--lazy", m.root) })
	m.fill(image)
	return m
}

// rootImage returns the archive with the bare system.
func rootImage(t testing.TB) string {
	t.Helper()
	image := os.Getenv("WALDO_ROOT")
	if image == "" {
		t.Skip("runs by deploy/packages/check: make packages-test")
	}
	return image
}

// fill gives the machine its system, and the packages under test.
func (m *machine) fill(image string) {
	m.t.Helper()
	run(m.t, "tar", "-x", "-C", m.root, "-f", image, "--exclude=./dev/*")
	run(m.t, "mkdir", m.path("packages"))
	for _, deb := range debs(m.t) {
		run(m.t, "cp", deb, m.path("packages"))
	}
}

// debs returns the files of the packages under test.
func debs(t testing.TB) []string {
	t.Helper()
	folder := os.Getenv("WALDO_PACKAGES")
	if folder == "" {
		t.Skip("runs by deploy/packages/check: make packages-test")
	}
	found, err := filepath.Glob(filepath.Join(folder, "*.deb"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no packages in %s: run make packages (%v)", folder, err)
	}
	return found
}

// boot switches the machine on, and waits until it has started everything. It is off again at the end of the test.
func (m *machine) boot() {
	m.t.Helper()
	name := fmt.Sprintf("waldo-packages-%d-%d", os.Getpid(), machines.Add(1))
	groups := m.controlGroups(name)
	// The shell moves itself into the groups, and becomes systemd-nspawn.
	m.nspawn = exec.Command("sh", "-c", `for group in `+strings.Join(groups, " ")+
		`; do echo $$ >$group/cgroup.procs || exit; done
		exec "$0" "$@"`, "systemd-nspawn", "--quiet", "--directory="+m.root, "--boot", "--register=no", "--keep-unit",
		"--private-network", "--console=pipe", "--machine="+name, "--resolv-conf=off", "--timezone=off")
	m.nspawn.Stdout, m.nspawn.Stderr = &m.log, &m.log
	m.exited = make(chan struct{})
	started := make(chan error)
	go func() {
		// The kernel ends the machine with the thread that has started it, so the thread waits here.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		m.nspawn.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		started <- m.nspawn.Start()
		_ = m.nspawn.Wait() // the status of a container that was switched off says nothing
		close(m.exited)
	}()
	if err := <-started; err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(m.off)
	m.eventually("process 1", func() bool { m.pid = m.child(); return m.pid != 0 })
	m.eventually("systemd", func() bool { _, err := m.try("systemctl", "is-system-running", "--wait"); return m.up(err) })
}

// controlGroups makes control groups for the machine, one of this name in each hierarchy, as systemd-nspawn expects.
// Machines in the same group would find, and end, each other's processes.
func (m *machine) controlGroups(name string) (groups []string) {
	m.t.Helper()
	for _, hierarchy := range []string{"", "/systemd", "/unified"} {
		folder := "/sys/fs/cgroup" + hierarchy
		if _, err := os.Stat(folder + "/cgroup.procs"); err != nil {
			continue
		}
		group := folder + "/" + name
		if err := os.Mkdir(group, 0o755); err != nil {
			m.t.Fatal(err)
		}
		m.t.Cleanup(func() { run(m.t, "find", group, "-depth", "-type", "d", "-delete") })
		groups = append(groups, group)
	}
	return groups
}

// up tells whether the machine has started, as is-system-running says: it fails for a machine with a failed unit too.
func (m *machine) up(err error) bool {
	if err == nil {
		return true
	}
	state, _ := m.try("systemctl", "is-system-running")
	return strings.TrimSpace(state) == "degraded"
}

// child returns the process 1 of the machine, or 0.
func (m *machine) child() int {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", m.nspawn.Process.Pid))
	for _, thread := range threads {
		children, _ := os.ReadFile(thread)
		for _, child := range strings.Fields(string(children)) {
			if name, _ := os.ReadFile("/proc/" + child + "/comm"); strings.TrimSpace(string(name)) == "systemd" {
				pid, _ := strconv.Atoi(child)
				return pid
			}
		}
	}
	return 0
}

// off switches the machine off, in order if it does that in time.
func (m *machine) off() {
	if m.pid == 0 && m.nspawn == nil {
		return
	}
	_ = m.nspawn.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.exited:
	case <-time.After(patience):
		_ = m.nspawn.Process.Kill()
		<-m.exited
	}
	m.pid, m.nspawn = 0, nil
	if m.t.Failed() {
		m.t.Logf("the console said:\n%s", tail(m.log.String(), 4000))
	}
}

// path returns a path of the machine as the host names it.
func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

// command makes a program ready to run in the machine. While that is off, nothing else runs there.
func (m *machine) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	inside := []string{"chroot", m.root}
	if m.pid != 0 {
		inside = []string{"nsenter", "--target", strconv.Itoa(m.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--root",
			"--wd"}
	}
	inside = append(append(inside, name), args...)
	command := exec.CommandContext(ctx, inside[0], inside[1:]...)
	command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive", "HOME=/root"}
	command.WaitDelay = time.Second
	return command
}

// try runs a program in the machine, and returns what it has printed.
func (m *machine) try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	out, err := m.command(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// begin starts a program in the machine, and returns a function that interrupts it.
func (m *machine) begin(name string, args ...string) (interrupt func()) {
	m.t.Helper()
	command := m.command(context.Background(), name, args...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // nsenter passes no signals on
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		m.t.Fatal(err)
	}
	interrupt = sync.OnceFunc(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGINT)
		_ = command.Wait() // it was interrupted
		m.t.Logf("%s said: %s", name, said.String())
	})
	m.t.Cleanup(interrupt)
	return interrupt
}

// run runs a program in the machine that must succeed.
func (m *machine) run(name string, args ...string) string {
	m.t.Helper()
	out, err := m.try(name, args...)
	if err != nil {
		m.t.Fatalf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, out, m.journal())
	}
	return out
}

// journal returns the end of what the machine's services have said, for errors.
func (m *machine) journal() string {
	if m.pid == 0 {
		return ""
	}
	out, _ := m.try("journalctl", "--no-pager", "--lines=60", "--output=short-monotonic")
	return "journal:\n" + out
}

// eventually waits until condition holds, and returns how long that took. It polls: a container has no events for what
// happens in it.
func (m *machine) eventually(what string, condition func() bool) time.Duration {
	m.t.Helper()
	start := time.Now()
	for !condition() {
		if time.Since(start) > patience {
			m.t.Fatalf("%s: not within %v\n%s", what, patience, m.journal())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(start)
}

// get asks the robot's gateway, from the machine itself and with the token of the robot, and returns the body of an
// answer that is no error.
func (m *machine) get(path string) ([]byte, error) {
	token, _ := os.ReadFile(m.path("etc/waldo/token")) // without one nobody asks for it
	return m.getAs(strings.TrimSpace(string(token)), path)
}

// getAs is get with another token.
func (m *machine) getAs(token, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(m.pid), "--net", "curl", "--silent", "--fail",
		"--header", "@-", "http://127.0.0.1:8080"+path)
	command.Stdin = strings.NewReader("Authorization: Bearer " + token)
	return command.Output()
}

// picture waits until the gateway gives out a picture of a camera, and returns how long that took.
func (m *machine) picture(camera string) time.Duration {
	m.t.Helper()
	return m.eventually("a picture of "+camera, func() bool {
		body, err := m.get("/snapshot/" + camera + ".jpg")
		return err == nil && bytes.HasPrefix(body, []byte{0xff, 0xd8})
	})
}

// run runs a program of the host.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func tail(text string, most int) string { return text[max(0, len(text)-most):] }
