package access_test

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/access"
)

// hidden has this program play a process that hides its memory, until its input ends.
const hidden = "WALDO_TEST_HIDDEN"

// TestHideMemory: another process of the same user cannot read the environment of one that hides its memory.
func TestHideMemory(t *testing.T) {
	if os.Getenv(hidden) != "" {
		access.HideMemory()
		fmt.Println("hidden")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the test has looked
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestHideMemory$")
	cmd.Env = append(os.Environ(), hidden+"=secret")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close() // ends it
		_ = cmd.Wait() // what it printed was read
	}()
	if _, err := out.Read(make([]byte, len("hidden"))); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		t.Errorf("its files in /proc belong to user %d", owner)
	}
	if os.Getuid() != 0 {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid)); err == nil {
			t.Errorf("its environment can be read: %q", text)
		}
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 1 {
		t.Errorf("this process hides its memory, too: %d, %v", n, err)
	}
}

// TestShowMemory: a process that hides its memory can look at itself, and hides it again.
func TestShowMemory(t *testing.T) {
	dumpable := func() int {
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := dumpable()
	defer func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(before), 0, 0, 0) }()
	access.ShowMemory(func() {
		if dumpable() != before {
			t.Error("what is shown is hidden")
		}
	})
	access.HideMemory()
	access.ShowMemory(func() {
		if dumpable() != 1 {
			t.Error("what is hidden is not shown")
		}
	})
	if dumpable() != 0 {
		t.Error("it is not hidden again")
	}
}
