package supervise

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"

	"github.com/waldo-robot/waldo/pkg/device"
)

// exit is how a process ended.
type exit struct {
	code   int
	signal syscall.Signal // 0 unless a signal killed it
	err    error          // it could not be started or waited for
	hung   string         // why it was killed, if it gave no sign of life
	wanted bool           // a restart was requested
}

// exitOf reads what exec.Cmd.Wait returned.
func exitOf(err error) exit {
	var failed *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // WaitDelay: a grandchild still holds the output
		return exit{}
	case !errors.As(err, &failed):
		return exit{err: err}
	}
	if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exit{signal: status.Signal()}
	}
	return exit{code: failed.ExitCode()}
}

// final tells whether the process must not be started again, and why.
func (e exit) final() (why string, final bool) {
	switch {
	case e.err != nil || e.signal != 0 || e.hung != "" || e.wanted:
		return "", false
	case e.code == device.ExitStopped:
		return "stopped on request, so it is not started again: start it with waldo restart", true
	case e.code == device.ExitConfiguration:
		return "its configuration is wrong, so it is not started again: correct it, then run waldo reload", true
	default:
		return "", false
	}
}

// taken tells whether the process ended because an address that it needs is in use.
func (e exit) taken() bool {
	return e.err == nil && e.signal == 0 && e.hung == "" && e.code == device.ExitAddress
}

// String describes how the process ended, for people.
func (e exit) String() string {
	switch {
	case e.err != nil:
		return e.err.Error()
	case e.hung != "":
		return e.hung + "; killed"
	case e.signal != 0:
		return fmt.Sprintf("was killed (%s)", e.signal)
	case e.taken():
		return "ended: an address it needs is in use"
	default:
		return fmt.Sprintf("ended with code %d", e.code)
	}
}
