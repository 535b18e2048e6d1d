package internet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace that exists while the file is open, or a process is in it.
type namespace struct{ file *os.File }

// newNamespace makes a namespace in which only loopback is up.
func newNamespace(tb testing.TB) namespace {
	tb.Helper()
	var n namespace
	err := apart(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			n.file, err = os.Open(own)
		}
		return err
	})
	if err != nil {
		tb.Fatalf("make a network namespace: %v", err)
	}
	tb.Cleanup(func() { _ = n.file.Close() })
	n.set(tb, "net/ipv6/conf/default/disable_ipv6", "1") // every path is one that the test knows
	n.ip(tb, "link set lo up")
	return n
}

// path is where other processes find the namespace.
func (n namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// do runs f in the namespace. Sockets and files that f opens stay there.
func (n namespace) do(f func() error) error { return Within(n.path(), f) }

// Within runs f in the network namespace that is found at a path. Sockets and files that f opens stay there.
func Within(path string, f func() error) error {
	return apart(func() error {
		to, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = to.Close() }()
		if err := unix.Setns(int(to.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

// own is the network namespace of the thread that opens it.
const own = "/proc/thread-self/ns/net"

// apart runs f on a thread of its own, which returns to its namespace afterwards. It must not end instead: with it
// would end programs that were started by it, and that are to end with their parent, such as browsers.
func apart(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(own)
		if err != nil {
			done <- err
			return
		}
		defer func() { _ = home.Close() }()
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			done <- errors.Join(err, back) // the thread, still locked, ends with the goroutine
			return
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}

// command is the command that runs a program, with its arguments, in the namespace. The program is not urgent, even if
// the process of the test is.
func (n namespace) command(program string, args ...string) (string, []string) {
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		nice = 20 // that is the niceness 0, as the system call has it
	}
	return "nsenter", append([]string{"--net=" + n.path(), "nice", "-n", strconv.Itoa(max(0, nice-20)), program}, args...)
}

// feed runs a program in the namespace that reads text.
func (n namespace) feed(tb testing.TB, text, program string, args ...string) {
	tb.Helper()
	if err := n.try(text, program, args...); err != nil {
		tb.Fatal(err)
	}
}

func (n namespace) try(text, program string, args ...string) error {
	name, all := n.command(program, args...)
	cmd := exec.Command(name, all...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s of\n%s: run `make deps-test`", program, err, out, text)
	}
	return nil
}

// ip runs commands of iproute2.
func (n namespace) ip(tb testing.TB, commands ...string) {
	tb.Helper()
	n.feed(tb, strings.Join(commands, "\n")+"\n", "ip", "-batch", "-")
}

// set sets a parameter of the kernel, given by its path below /proc/sys.
func (n namespace) set(tb testing.TB, name, value string) {
	tb.Helper()
	err := n.do(func() error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) })
	if err != nil {
		tb.Fatal(err)
	}
}

// await returns when packets of the namespace reach an address. The kernel may take a second to notice that a new link
// is up, and loses packets until then.
func (n namespace) await(tb testing.TB, address netip.Addr) {
	tb.Helper()
	closed := netip.AddrPortFrom(address, 1).String() // a refusal is an answer
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		err = n.do(func() error {
			_, err := net.DialTimeout("tcp4", closed, 2*time.Second)
			return err
		})
		if errors.Is(err, unix.ECONNREFUSED) {
			return
		}
	}
	tb.Fatalf("a new link does not carry packets: %v", err)
}

const patience = 30 * time.Second
