package harness

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// aloneMark tells a test that it runs in the process that Alone has started.
const aloneMark = "WALDO_TEST_ALONE"

// Alone runs the rest of the test on a machine without any network interface but loopback: in a process of its own,
// with an empty network namespace. It returns true in there. It needs root; without, the test is skipped, loudly.
func Alone(tb testing.TB) bool {
	tb.Helper()
	if os.Getenv(aloneMark) == tb.Name() {
		ip(tb, "link", "set", "lo", "up")
		return true
	}
	if os.Geteuid() != 0 {
		tb.Skip("NOT RUN: network namespaces need root. Nothing has shown what happens without a network")
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
