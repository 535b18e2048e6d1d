package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Board is a simulated Arduino Uno that runs the firmware of the rover. It records its motors' values with the time.
type Board struct {
	*Process
	Port string // path of its serial line
}

// Turn is the values of the motors from a moment on.
type Turn struct {
	At          time.Duration // on the clock of [Monotonic]
	Left, Right int
}

// StartBoard powers a board on. It runs until the test ends.
func StartBoard(tb testing.TB) *Board {
	tb.Helper()
	dir := os.Getenv("WALDO_FIRMWARE")
	if dir == "" {
		dir = "../build/firmware"
	}
	simuno, program := filepath.Join(dir, "simuno"), filepath.Join(dir, "rover.elf")
	for _, file := range []string{simuno, program} {
		if _, err := os.Stat(file); err != nil {
			tb.Fatalf("%v: run `make firmware`", err)
		}
	}
	b := &Board{Process: Start(tb, nil, simuno, program)}
	Until(tb, "the board has a port", func() error {
		_, after, found := strings.Cut(b.Output(), "pty ")
		if _, err := fmt.Sscan(after, &b.Port); !found || err != nil {
			return fmt.Errorf("its output is %q", b.Output())
		}
		return nil
	})
	return b
}

// Turns are all values of the motors so far, from the first command.
func (b *Board) Turns() (turns []Turn) {
	for line := range strings.Lines(b.Output()) {
		var micros int64
		var t Turn
		if _, err := fmt.Sscanf(line, "motors %d %d %d\n", &micros, &t.Left, &t.Right); err == nil {
			t.At = time.Duration(micros) * time.Microsecond
			turns = append(turns, t)
		}
	}
	return turns
}

// AwaitTurn waits until the motors have these values, and returns since when.
func (b *Board) AwaitTurn(tb testing.TB, left, right int) (last Turn) {
	tb.Helper()
	Until(tb, fmt.Sprintf("the motors get %d %d", left, right), func() error {
		if turns := b.Turns(); len(turns) > 0 {
			last = turns[len(turns)-1]
		}
		if last.Left != left || last.Right != right {
			return fmt.Errorf("they have %v", last)
		}
		return nil
	})
	return last
}

// Monotonic is the time on the clock that a Board uses.
func Monotonic(tb testing.TB) time.Duration {
	tb.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(t.Nano())
}
