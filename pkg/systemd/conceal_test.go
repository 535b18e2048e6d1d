package systemd

import (
	"testing"

	"golang.org/x/sys/unix"
)

// dumpable is whether others of the same user may look into this process.
func dumpable(t *testing.T) int {
	t.Helper()
	n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConceal(t *testing.T) {
	if before := dumpable(t); before != 1 {
		t.Skipf("this process is concealed already: %d", before)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }()
	Conceal(from(nil))
	if dumpable(t) != 1 {
		t.Error("concealed without credentials")
	}
	Conceal(from(map[string]string{"CREDENTIALS_DIRECTORY": t.TempDir()}))
	if dumpable(t) != 0 {
		t.Error("not concealed")
	}
	Reveal(func() {
		if dumpable(t) != 1 {
			t.Error("not revealed")
		}
	})
	if dumpable(t) != 0 {
		t.Error("not concealed again")
	}
}
