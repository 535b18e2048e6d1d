package labtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/deploy/vm/machine"
)

// The two adapters of the machine: one for the program under test, one for the test.
const (
	nearByID = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_" + machine.SerialNear + "-if00-port0"
	farByID  = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_" + machine.SerialFar + "-if00-port0"
)

// hearAdapter loads the drivers of the two adapters, and reads at the far one. It has to keep reading while data is
// sent: QEMU stops the whole machine while the connection is full.
func hearAdapter(t *testing.T) (far *line) {
	t.Helper()
	command(t, "modprobe", "-a", "xhci_pci", "ftdi_sio")
	eventually(t, "the adapters there", func() bool { return there(nearByID) && there(farByID) })
	command(t, "udevadm", "settle")
	return hearLine(t, farByID)
}

// authorize allows the near adapter, or takes it from its driver as if it had been pulled out.
func authorize(t *testing.T, allowed bool) {
	t.Helper()
	serials, err := filepath.Glob("/sys/bus/usb/devices/*/serial")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range serials {
		if name, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(name)) == machine.SerialNear {
			value := map[bool]string{false: "0", true: "1"}[allowed]
			if err := os.WriteFile(filepath.Join(filepath.Dir(file), "authorized"), []byte(value), 0); err != nil {
				t.Fatal(err)
			}
			eventually(t, fmt.Sprintf("adapter there: %v", allowed), func() bool { return there(nearByID) == allowed })
			return
		}
	}
	t.Fatalf("no adapter has the serial number %q", machine.SerialNear)
}

func TestBaudRates(t *testing.T) {
	requireLab(t)
	for _, baud := range []uint32{9600, 115200, 250000, 1000000} {
		t.Run(fmt.Sprint(baud), func(t *testing.T) {
			far := hearAdapter(t)
			p := startSerial(t, firstAddress, nearByID, "--baud", fmt.Sprint(baud))
			p.awaitReady()
			if got, _ := portSettings(t, p.process, nearByID); got != baud {
				t.Errorf("the port is set to %d, want %d", got, baud)
			}
			start := time.Now()
			const count = 10
			checkBothWays(t, p, p.read(), far, count)
			t.Logf("%.1f ms for a line each way", time.Since(start).Seconds()*1000/count)
		})
	}
}

func TestModemLines(t *testing.T) {
	requireLab(t)
	hearAdapter(t)
	for name, c := range map[string]struct {
		flags []string
		want  int
	}{
		"not requested": {nil, unix.TIOCM_DTR | unix.TIOCM_RTS}, // the system's default
		"DTR off":       {[]string{"--dtr=false"}, unix.TIOCM_RTS},
		"both off":      {[]string{"--dtr=false", "--rts=false"}, 0},
		"RTS off":       {[]string{"--dtr=true", "--rts=false"}, unix.TIOCM_DTR},
	} {
		t.Run(name, func(t *testing.T) {
			p := startSerial(t, firstAddress, nearByID, c.flags...)
			p.awaitReady()
			if _, modem := portSettings(t, p.process, nearByID); modem&(unix.TIOCM_DTR|unix.TIOCM_RTS) != c.want {
				t.Errorf("the modem lines are %#x, want %#x", modem, c.want)
			}
		})
	}
}

func TestAdapterPulledOut(t *testing.T) {
	requireLab(t)
	far := hearAdapter(t)
	p := startSerial(t, firstAddress, nearByID)
	before := p.awaitReady()
	s := p.read()
	checkBothWays(t, p, s, far, 3)
	t.Cleanup(func() { authorize(t, true) }) // also after a failure, for later tests
	for range 2 {
		start := time.Now()
		authorize(t, false)
		sameProcess(t, before, p.awaitAway(nearByID))
		t.Logf("away after %.2f s", time.Since(start).Seconds())
		if _, err := p.serial.WriteMessage(p.context(), textMessage("lost")); status.Code(err) != codes.Unavailable {
			t.Errorf("write while away: %v, want Unavailable", err)
		}
		authorize(t, true)
		sameProcess(t, before, p.awaitReady())
		checkBothWays(t, p, s, far, 3)
	}
}

// Commands that arrive faster than the adapter sends them are replaced by newer ones. The far end receives some of
// them, whole and in order, and always the newest.
func TestManyCommands(t *testing.T) {
	requireLab(t)
	far := hearAdapter(t)
	p := startSerial(t, firstAddress, nearByID, motorFlags(t)...)
	p.awaitReady()
	d := p.acquire()
	d.drive(far, 1, 1)
	const count = 500
	accepted := 0
	for i := range int16(count) {
		if d.send(2+i, 2+i) == controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED {
			accepted++
		}
	}
	d.drive(far, count+2, 0)
	awaitStops(t, far)
	moves := movesOf(t, far)
	if !slices.IsSorted(moves) {
		t.Errorf("out of order: %d", moves)
	}
	t.Logf("of %d accepted commands %d arrived", accepted, len(slices.Compact(moves))-2)
}
