package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spawner starts processes that the kernel kills when the supervisor dies. The kernel ties this to the
// thread that started the process, not to the whole program, and the Go runtime ends threads as it sees
// fit. So one goroutine, locked to one thread, starts all processes.
type spawner struct {
	work chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func()), done: make(chan struct{})}
	go s.run()
	return s
}

// run returns with its thread locked, so the thread ends too, and with it any process it started that is
// still alive.
func (s *spawner) run() {
	defer close(s.done)
	runtime.LockOSThread()
	for f := range s.work {
		f()
	}
}

// close must be called after all children have ended.
func (s *spawner) close() {
	close(s.work)
	<-s.done
}

// firstFile is the descriptor of the first file that a process inherits, after its input and its secret.
const firstFile = 5

func (s *spawner) start(p Process, output io.Writer, files []*os.File) (child, error) {
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = output, output // one pipe for both, to keep their order
	// Once a process has ended, one of its children may still hold the pipe; do not wait for that.
	cmd.WaitDelay = 100 * time.Millisecond
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // Ctrl-C is for the supervisor, which then stops its children in order
	}
	var input *os.File
	if p.Input != nil {
		var err error
		if input, err = InputFile(p.Input); err != nil {
			return nil, err
		}
		defer func() { _ = input.Close() }() // the process has its own
	}
	var secret *os.File
	if p.Secret != nil {
		var err error
		if secret, err = InputFile(p.Secret); err != nil {
			return nil, err
		}
		defer func() { _ = secret.Close() }() // the process has its own
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", p.SecretFD, firstFile-1))
	}
	cmd.ExtraFiles = append([]*os.File{input, secret}, files...)
	started := make(chan error, 1)
	s.work <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	return process{cmd}, nil
}

// InputFile returns a file in memory with this content, so that a full disk does not matter. Only processes of the same
// user can open it.
func InputFile(content []byte) (*os.File, error) {
	const name = "waldo"
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("hand over a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteAt(content, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("hand over a file in memory: %w", err), f.Close())
	}
	if err := f.Chmod(0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("hand over a file in memory: %w", err), f.Close())
	}
	return f, nil
}

// process is a real child.
type process struct{ cmd *exec.Cmd }

func (p process) wait() exit {
	e := exitOf(p.cmd.Wait())
	// Anything it started and did not stop is in its group; usually the group is gone.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	return e
}

func (p process) pid() int { return p.cmd.Process.Pid }

func (p process) activity() activity { return activityOf(p.cmd.Process.Pid) }

func (p process) signal(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig) // fails only if the process has ended
}
