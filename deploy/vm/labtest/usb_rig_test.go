package labtest

import (
	"os"
	"testing"

	"github.com/waldo-robot/waldo/deploy/vm/boardsim"
)

// The names of the simulated board's devices, independent of the numbers that the kernel gives them.
const (
	padByID  = "/dev/input/by-id/usb-Waldo_Simulated_Board_" + boardsim.Serial + "-if02-event-joystick"
	lineByID = "/dev/serial/by-id/usb-Waldo_Simulated_Board_" + boardsim.Serial + "-if00"
)

// buildBoard assembles the simulated board, not plugged in, and removes it at the end of the test.
func buildBoard(t *testing.T) *boardsim.Board {
	t.Helper()
	command(t, "modprobe", "-a", "dummy_hcd", "libcomposite", "usb_f_acm", "usb_f_hid", "usbhid", "hid-generic", "evdev",
		"cdc-acm")
	b, err := boardsim.Build()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Remove(); err != nil {
			t.Error(err)
		}
		awaitGone(t)
	})
	return b
}

// plugBoard plugs the board in, and returns when its devices exist.
func plugBoard(t *testing.T, b *boardsim.Board) {
	t.Helper()
	if err := b.Plug(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the board's devices there", func() bool { return there(padByID) && there(lineByID) })
	command(t, "udevadm", "settle")
}

// unplugBoard pulls the cable, and returns when the links to its devices are gone.
func unplugBoard(t *testing.T, b *boardsim.Board) {
	t.Helper()
	if err := b.Unplug(); err != nil {
		t.Fatal(err)
	}
	awaitGone(t)
}

func awaitGone(t *testing.T) {
	t.Helper()
	eventually(t, "the board's devices gone", func() bool { return !there(padByID) && !there(lineByID) })
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
