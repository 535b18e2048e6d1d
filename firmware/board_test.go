package firmware_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/firmware/internal/wire"
)

// patience is how long a test waits for an expected event, on a busy machine.
const patience = 30 * time.Second

// motion is the state of the motors from a moment on.
type motion struct {
	at time.Duration // on the clock CLOCK_MONOTONIC
	wire.Command
}

// now reads the clock of the simulator's stamps.
func now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // Linux has it
	}
	return time.Duration(t.Nano())
}

// board is an Arduino with the rover's firmware in its own simulator, with its serial port open. It ends with its
// test.
type board struct {
	tb   testing.TB
	name string // of the serial port
	port *os.File
	cmd  *exec.Cmd
	in   io.Closer // ends the simulator

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced whenever a field below changes
	record     record
	complaints strings.Builder // what the simulator writes to standard error

	readers sync.WaitGroup
}

// record is everything a board has done up to a moment.
type record struct {
	motions   []motion
	telemetry []wire.Telemetry
	skipped   int  // bytes outside telemetry
	ended     bool // the simulator has
}

// last returns the newest telemetry, or none.
func (r record) last() wire.Telemetry {
	if len(r.telemetry) == 0 {
		return wire.Telemetry{}
	}
	return r.telemetry[len(r.telemetry)-1]
}

// motors returns the current command of the motors.
func (r record) motors() wire.Command {
	if len(r.motions) == 0 {
		return wire.Command{}
	}
	return r.motions[len(r.motions)-1].Command
}

// after returns the motions after an earlier record.
func (r record) after(earlier record) (commands []wire.Command) {
	for _, m := range r.motions[len(earlier.motions):] {
		commands = append(commands, m.Command)
	}
	return commands
}

// startBoard starts a program built by firmware/build, and opens the port.
func startBoard(tb testing.TB, program string, flags ...string) *board {
	tb.Helper()
	b := startClosed(tb, program, flags...)
	b.open()
	return b
}

// startClosed leaves the port closed.
func startClosed(tb testing.TB, program string, flags ...string) *board {
	tb.Helper()
	dir := os.Getenv("WALDO_FIRMWARE")
	if dir == "" {
		tb.Fatal("WALDO_FIRMWARE is not set: run `make firmware`, or set it to the output folder of firmware/build")
	}
	flags = append(flags, "--stdin-ends", filepath.Join(dir, program+".elf"))
	b := &board{tb: tb, cmd: exec.Command(filepath.Join(dir, "simuno"), flags...), changed: make(chan struct{})}
	in, err := b.cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	b.in = in
	b.cmd.Stderr = b
	if err := b.cmd.Start(); err != nil {
		tb.Fatalf("%v: run `make firmware`", err)
	}
	tb.Cleanup(b.stop)
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		tb.Fatal("the simulator ended at once")
	}
	if _, err := fmt.Sscanf(lines.Text(), "pty %s", &b.name); err != nil {
		tb.Fatalf("%q: %v", lines.Text(), err)
	}
	b.readers.Go(func() { b.readMotions(lines) })
	return b
}

// open opens the port and starts reading.
func (b *board) open() {
	b.tb.Helper()
	b.port = openPort(b.tb, b.name)
	b.readers.Go(func() { b.readTelemetry(b.port) })
}

// stop ends the simulator as the end of this process would, and waits for all its readers.
func (b *board) stop() {
	if b.port != nil {
		b.port.Close()
	}
	b.in.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stuck := context.AfterFunc(ctx, func() { _ = b.cmd.Process.Kill() })
	b.readers.Wait()
	err := b.cmd.Wait()
	if !stuck() || err != nil {
		b.tb.Errorf("the simulator ended with %v", err)
	}
	if b.tb.Failed() {
		b.tb.Logf("motors %v\n%s", b.record.motions, b.complaints.String())
	}
}

// readMotions reads until the simulator ends.
func (b *board) readMotions(lines *bufio.Scanner) {
	for lines.Scan() {
		var m motion
		var micros int64
		if _, err := fmt.Sscanf(lines.Text(), "motors %d %d %d", &micros, &m.Left, &m.Right); err != nil {
			b.tb.Errorf("%q: %v", lines.Text(), err)
		}
		m.at = time.Duration(micros) * time.Microsecond
		b.update(func() { b.record.motions = append(b.record.motions, m) })
	}
	b.update(func() { b.record.ended = true })
}

// readTelemetry reads until the port is closed.
func (b *board) readTelemetry(port io.Reader) {
	var reader wire.Reader
	for buffer := make([]byte, 4096); ; {
		n, err := port.Read(buffer)
		if err != nil {
			return
		}
		skipped := reader.Skipped
		frames := reader.Take(buffer[:n])
		b.update(func() {
			b.record.telemetry = append(b.record.telemetry, frames...)
			b.record.skipped += reader.Skipped - skipped
		})
	}
}

// Write records the simulator's standard error.
func (b *board) Write(p []byte) (int, error) {
	b.update(func() { b.complaints.Write(p) })
	return len(p), nil
}

func (b *board) update(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	close(b.changed)
	b.changed = make(chan struct{})
}

// write sends bytes to the board.
func (b *board) write(bytes []byte) {
	b.tb.Helper()
	if _, err := b.port.Write(bytes); err != nil {
		b.tb.Fatal(err)
	}
}

func (b *board) send(c wire.Command) {
	b.tb.Helper()
	b.write(c.Encode())
}

// until waits until seen returns true for the board's record, and returns the record.
func (b *board) until(what string, seen func(record) bool) record {
	b.tb.Helper()
	return b.while(what, func() {}, time.Hour, seen)
}

// driving sends a command repeatedly, as a driver does, until seen returns true.
func (b *board) driving(c wire.Command, what string, seen func(record) bool) record {
	b.tb.Helper()
	return b.while(what, func() { b.send(c) }, 40*time.Millisecond, seen)
}

// while acts at once and then at an interval, until seen returns true.
func (b *board) while(what string, act func(), every time.Duration, seen func(record) bool) record {
	b.tb.Helper()
	act()
	again := time.NewTicker(every)
	defer again.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		b.mu.Lock()
		r, changed := b.record, b.changed
		b.mu.Unlock()
		if seen(r) {
			return r
		}
		if r.ended {
			b.tb.Fatalf("the simulator ended before %s", what)
		}
		select {
		case <-changed:
		case <-again.C:
			act()
		case <-late.C:
			b.tb.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// ready waits until the firmware has started.
func (b *board) ready() record {
	b.tb.Helper()
	return b.until("the firmware's first telemetry", func(r record) bool { return len(r.telemetry) > 0 })
}
