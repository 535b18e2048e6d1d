package harness

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// aloneMark tells a test that it runs in the process started by Alone.
const aloneMark = "WALDO_TEST_ALONE"

// Alone runs the rest of the test as if on a machine whose only network interface is loopback: in another process,
// with an empty network namespace. It returns true in there. It needs root; without root it skips the test, loudly.
func Alone(tb testing.TB) bool {
	tb.Helper()
	if os.Getenv(aloneMark) == tb.Name() {
		ip(tb, "link", "set", "lo", "up")
		return true
	}
	if os.Geteuid() != 0 {
		tb.Skip("NOT RUN: network namespaces need root. The behavior without a network is not tested")
	}
	again := exec.Command(os.Args[0], "-test.run=^"+tb.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), aloneMark+"="+tb.Name())
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := again.CombinedOutput()
	tb.Logf("without a network:\n%s", out)
	if err != nil {
		tb.Fatal(err)
	}
	return false
}
