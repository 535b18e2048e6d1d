package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
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
)

// Patience is how long the harness waits for an expected event. It says nothing about speed: benchmarks measure that.
const Patience = 30 * time.Second

// Bin returns the path of one of Waldo's programs.
func Bin(tb testing.TB, name string) string {
	tb.Helper()
	dir := os.Getenv("WALDO_BIN")
	if dir == "" {
		tb.Fatal("WALDO_BIN is not set: run the tests with `make test`, or set it to the folder of the built programs")
	}
	return program(tb, dir, name)
}

// BaseBin returns the folder of the programs to compare with, from the environment; empty without them.
func BaseBin() string { return os.Getenv("WALDO_BASE_BIN") }

func program(tb testing.TB, dir, name string) string {
	tb.Helper()
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		tb.Fatalf("%v: run `make build`", err)
	}
	return path
}

// Process is a program that the test started.
type Process struct {
	cmd    *exec.Cmd
	output *buffer
	done   chan struct{}
}

// Start runs a program until the test ends. Env is added to the environment of the test.
func Start(tb testing.TB, env []string, program string, args ...string) *Process {
	tb.Helper()
	p := &Process{cmd: exec.Command(program, args...), output: &buffer{}, done: make(chan struct{})}
	p.cmd.Env = environment(env)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := start(p.cmd); err != nil {
		tb.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // tests read the exit code from ProcessState
	}()
	tb.Cleanup(func() {
		p.Stop(tb)
		if tb.Failed() {
			tb.Logf("output of %s:\n%s", filepath.Base(program), p.output)
		}
	})
	return p
}

// start starts a program that does not outlive the test's process, even if that is killed: a robot that is left behind
// would open the pseudo terminals of later tests. The kernel ties this to the thread that starts the program, so one
// thread, which stays, starts them all.
func start(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	starter() <- func() { done <- cmd.Start() }
	return <-done
}

var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// environment is the test's environment without its user's Waldo settings, and with the test's own.
func environment(add []string) []string {
	isSetting := func(v string) bool { return strings.HasPrefix(v, "WALDO_") || strings.HasPrefix(v, "HTTP=") }
	return append(slices.DeleteFunc(os.Environ(), isSetting), add...)
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output is everything the program has printed so far.
func (p *Process) Output() string { return p.output.String() }

// Kill ends the process as a crash would.
func (p *Process) Kill(tb testing.TB) {
	tb.Helper()
	_ = p.cmd.Process.Kill() // the process may have ended already
	p.wait(tb)
}

// Stop ends the process as Ctrl-C would, and returns its exit code. It fails the test if the process does not end
// within Patience.
func (p *Process) Stop(tb testing.TB) int {
	tb.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt) // it may have ended already
	p.wait(tb)
	return p.cmd.ProcessState.ExitCode()
}

func (p *Process) wait(tb testing.TB) {
	tb.Helper()
	select {
	case <-p.done:
	case <-time.After(Patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // a Go program prints what it is doing, and ends
		hurry := time.AfterFunc(Patience, func() { _ = p.cmd.Process.Kill() })
		<-p.done
		hurry.Stop()
		tb.Errorf("%s did not end in time", p.cmd.Path)
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Children returns the process ids of the children of a process that run the named program, or of all children if name
// is empty.
func Children(tb testing.TB, pid int, name string) []int {
	tb.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		tb.Fatal(err)
	}
	var found []int
	for _, list := range lists {
		text, _ := os.ReadFile(list) // the thread may have ended
		for _, field := range strings.Fields(string(text)) {
			child, _ := strconv.Atoi(field)
			exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", child))
			if name == "" || filepath.Base(exe) == name {
				found = append(found, child)
			}
		}
	}
	return found
}

// given are the ports that FreeAddress has given away.
var given sync.Map

// FreeAddress returns a loopback address with a port that is free now, for TCP and UDP, and that it has never returned
// before: who has got one may not have taken it yet. It is below those that the kernel gives to whoever asks for any
// port (net.ipv4.ip_local_port_range, from 32768), such as the devices of the same robot.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	const first, ports, tries = 15_000, 15_000, 100
	var failed error
	for range tries {
		port := first + rand.N(ports)
		if _, twice := given.LoadOrStore(port, nil); twice {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if failed = isFree(address); failed == nil {
			return address
		}
	}
	tb.Fatalf("no free port: %v", failed)
	return ""
}

func isFree(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	p, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	return p.Close()
}

// Until waits until the condition holds. If that takes longer than Patience, it fails the test with the last error.
func Until(tb testing.TB, what string, condition func() error) {
	tb.Helper()
	UntilWithin(tb, Patience, what, condition)
}

// UntilWithin is Until for what takes its time even on a machine that has nothing else to do.
func UntilWithin(tb testing.TB, patience time.Duration, what string, condition func() error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			tb.Fatalf("%s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// buffer is a bytes.Buffer for concurrent use.
type buffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

var _ io.Writer = (*buffer)(nil)

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
