package firmware_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/firmware/internal/wire"
)

// openPort opens a serial port as programs on Linux do.
func openPort(tb testing.TB, name string) *os.File {
	tb.Helper()
	port, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// The port is raw, no matter who opens it and how often.
func TestPortIsRaw(t *testing.T) {
	t.Parallel()
	b := startClosed(t, "rover")
	for range 3 {
		port := openPort(t, b.name)
		mode, err := unix.IoctlGetTermios(int(port.Fd()), unix.TCGETS)
		port.Close()
		if err != nil {
			t.Fatal(err)
		}
		if mode.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 || mode.Iflag&(unix.ICRNL|unix.IXON) != 0 ||
			mode.Oflag&unix.OPOST != 0 {
			t.Errorf("%+v is not raw", mode)
		}
	}
}

// Programs come and go. Data that one left unread does not reach the next.
func TestPortIsOpenedAgain(t *testing.T) {
	t.Parallel()
	b := startClosed(t, "rover")
	for range 2 {
		before := b.until("", func(record) bool { return true })
		port := openPort(t, b.name)
		if _, err := port.Write(slow.Encode()); err != nil {
			t.Fatal(err)
		}
		b.until("the watchdog has stopped the motors", func(r record) bool {
			return slices.Equal(r.after(before), []wire.Command{slow, stopped})
		})
		port.Close()
		b.while("what is left is gone", func() {}, 5*time.Millisecond, func(record) bool {
			port := openPort(t, b.name)
			defer port.Close()
			unread, err := unix.IoctlGetInt(int(port.Fd()), unix.TIOCINQ)
			return err == nil && unread <= 2*wire.TelemetrySize
		})
	}
	b.open()
	got := b.until("telemetry", func(r record) bool { return len(r.telemetry) >= 5 })
	for _, frame := range got.telemetry {
		if frame.Flags != wire.FlagWatchdog {
			t.Errorf("%+v is old", frame)
		}
	}
}

// Data that the board sends while nobody has the port open reaches nobody.
func TestNothingIsKeptForNobody(t *testing.T) {
	t.Parallel()
	b := startClosed(t, "rover")
	var closed wire.Telemetry
	b.while("telemetry is new", func() {}, 300*time.Millisecond, func(record) bool {
		port := openPort(t, b.name)
		defer port.Close()
		first := readFrame(t, port)
		missed := closed.Uptime > 0 && first.Uptime >= closed.Uptime+200
		closed = first
		return missed
	})
}

func readFrame(tb testing.TB, port io.Reader) wire.Telemetry {
	tb.Helper()
	var reader wire.Reader
	for buffer := make([]byte, wire.TelemetrySize); ; {
		n, err := port.Read(buffer)
		if err != nil {
			tb.Fatal(err)
		}
		if frames := reader.Take(buffer[:n]); len(frames) > 0 {
			return frames[0]
		}
	}
}

func TestBoardsSideBySide(t *testing.T) {
	t.Parallel()
	one, other := startBoard(t, "rover"), startBoard(t, "rover")
	got := one.driving(both(50), "one drives", func(r record) bool { return r.last().Command() == both(50) })
	other.driving(both(-50), "the other one drives", func(r record) bool { return r.last().Command() == both(-50) })
	if one.name == other.name || !slices.Contains(got.after(record{}), both(50)) ||
		slices.Contains(got.after(record{}), both(-50)) {
		t.Errorf("%s got %v", one.name, got.motions)
	}
}

// No byte is lost, changed, or duplicated between host and board, in both directions at once and at the line's full
// rate.
func TestBytesAreNotLost(t *testing.T) {
	t.Parallel()
	b := startClosed(t, "echo")
	port := openPort(t, b.name)
	sent := make([]byte, 20_000)
	random := rand.New(rand.NewPCG(5, 6))
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	got := make([]byte, 0, len(sent))
	done := make(chan error, 1)
	go func() {
		_, err := port.Write(sent)
		done <- err
	}()
	if err := port.SetReadDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	for buffer := make([]byte, 4096); len(got) < len(sent); {
		n, err := port.Read(buffer)
		if err != nil {
			t.Fatalf("%v after %d of %d bytes", err, len(got), len(sent))
		}
		got = append(got, buffer[:n]...)
	}
	if err := <-done; err != nil || !bytes.Equal(got, sent) {
		t.Errorf("other bytes came back, %v", err)
	}
	port.Close()
}

// A host that does not read does not block the board. The bytes it misses are counted.
func TestHostThatDoesNotRead(t *testing.T) {
	t.Parallel()
	b := startClosed(t, "echo")
	port := openPort(t, b.name)
	defer port.Close()
	if _, err := port.Write(make([]byte, 40_000)); err != nil { // more than Linux keeps on the way back
		t.Fatal(err)
	}
	unread := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, port) // ends when the port is closed
		unread <- n
	}()
	b.until("the loss is reported", func(record) bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return strings.Contains(b.complaints.String(), "lost ")
	})
	port.Close()
	t.Logf("%d of 40000 bytes were kept", <-unread)
}

func TestEndsOnSIGTERM(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	b.ready()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.until("the simulator has ended", func(r record) bool { return r.ended })
}

func TestUsage(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("WALDO_FIRMWARE")
	for _, tt := range []struct {
		arguments []string
		code      int
		says      string
	}{
		{nil, 2, "usage: simuno"},
		{[]string{"one.elf", "two.elf"}, 2, "usage: simuno"},
		{[]string{"--battery", "high", "rover.elf"}, 2, "usage: simuno"},
		{[]string{"--battery", "10001", "rover.elf"}, 2, "usage: simuno"},
		{[]string{"--unknown", "rover.elf"}, 2, "usage: simuno"},
		{[]string{"/nowhere.elf"}, 1, "/nowhere.elf"},
		{[]string{os.Args[0]}, 1, "not an ELF file for an AVR"},
		{[]string{"main_test.go"}, 1, "main_test.go: not an ELF file for an AVR"},
	} {
		output, err := exec.Command(filepath.Join(dir, "simuno"), tt.arguments...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != tt.code || !strings.Contains(string(output), tt.says) {
			t.Errorf("%v: %v, %q; want code %d and %q", tt.arguments, err, output, tt.code, tt.says)
		}
	}
}
