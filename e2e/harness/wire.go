package harness

import (
	"fmt"
	"math"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/ptytest"
)

// Wire is the serial line to the motors of a robot. At its other end is only the test, which records every command
// with its time. It stands for a board without a watchdog: what moves keeps moving.
type Wire struct {
	*ptytest.Terminal

	mu      sync.Mutex
	partial []byte
	motions []Motion
	broken  int // bytes outside any command
}

// Motion is one command on the wire.
type Motion struct {
	At          time.Time
	Left, Right int16
}

// Moves reports whether a motor turns.
func (m Motion) Moves() bool { return m.Left != 0 || m.Right != 0 }

// StartWire makes a wire. It exists until the test ends.
func StartWire(tb testing.TB) *Wire {
	tb.Helper()
	w := &Wire{}
	w.Terminal = ptytest.NewFunc(tb, w.hear)
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the last commands on the wire: %v", w.tail(20))
		}
	})
	return w
}

// Device is the YAML of the serial device `motors` on the wire.
func (w *Wire) Device() string { return BoardAt(w.Path) }

// BoardAt is the YAML of the serial device `motors` on a given port, with the rover's protocol.
func BoardAt(port string) string {
	return fmt.Sprintf(`motors: {kind: serial, port: %q, read: "<IhhiihHB", `+
		`readKeys: [uptime, left, right, x, y, heading, battery, flags], startByte: 0x5A, checksum: crc8, `+
		`write: "<hh", writeKeys: [left, right], writeStartByte: 0xA5, writeChecksum: crc8, `+
		`control: {safe: {left: 0, right: 0}}}`, port)
}

// RoverDrive is the YAML of the section `drive:` for BoardAt.
const RoverDrive = `{device: motors, keys: {left: {forward: 200, turn: 60}, right: {forward: 200, turn: -60}}}`

const (
	commandSize  = 6 // start byte, two int16, CRC-8
	commandStart = 0xA5
)

func (w *Wire) hear(_ *os.File, data []byte) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, data...)
	for len(w.partial) >= commandSize {
		frame := w.partial[:commandSize]
		if frame[0] != commandStart || crc8(frame[1:5]) != frame[5] {
			w.partial = w.partial[1:]
			w.broken++
			continue
		}
		left, right := int16(frame[1])|int16(frame[2])<<8, int16(frame[3])|int16(frame[4])<<8
		w.motions = append(w.motions, Motion{now, left, right})
		now = now.Add(time.Nanosecond) // commands read together keep their order
		w.partial = w.partial[commandSize:]
	}
}

// crc8 has the polynomial 0x07 and the initial value 0, computed bit by bit as in the standard.
func crc8(data []byte) (crc byte) {
	for _, b := range data {
		crc ^= b
		for range 8 {
			carry := crc&0x80 != 0
			crc <<= 1
			if carry {
				crc ^= 0x07
			}
		}
	}
	return crc
}

// Motions is every command that was on the wire at or after a moment.
func (w *Wire) Motions(since time.Time) []Motion {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := len(w.motions)
	for i > 0 && !w.motions[i-1].At.Before(since) {
		i--
	}
	return append([]Motion(nil), w.motions[i:]...)
}

// Broken is the number of bytes on the wire outside any command.
func (w *Wire) Broken() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

func (w *Wire) tail(n int) []Motion {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Motion(nil), w.motions[max(0, len(w.motions)-n):]...)
}

// AwaitMotion waits for the first command at or after a moment that is wanted, and returns it.
func (w *Wire) AwaitMotion(tb testing.TB, since time.Time, what string, wanted func(Motion) bool) (found Motion) {
	tb.Helper()
	Until(tb, what, func() error {
		for _, m := range w.Motions(since) {
			if wanted(m) {
				found = m
				return nil
			}
		}
		return fmt.Errorf("on the wire: %v", w.tail(5))
	})
	return found
}

// AwaitStill waits until the motors have received only zeros for a while, and returns when that began: the moment of
// the first of these zeros. A board whose last command was not zero keeps moving for ever, and fails the test.
func (w *Wire) AwaitStill(tb testing.TB, since time.Time, quiet time.Duration) (stopped time.Time) {
	tb.Helper()
	Until(tb, "the motors stand still", func() error {
		at, ok := w.still()
		if !ok || time.Since(at) < quiet || time.Since(since) < quiet {
			return fmt.Errorf("on the wire: %v", w.tail(5))
		}
		stopped = at
		return nil
	})
	return stopped
}

// still returns since when there have been only zeros.
func (w *Wire) still() (since time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.motions) - 1; i >= 0 && !w.motions[i].Moves(); i-- {
		since, ok = w.motions[i].At, true
	}
	return since, ok
}

// MustStayStill fails the test if anything moved at or after a moment.
func (w *Wire) MustStayStill(tb testing.TB, since time.Time) {
	tb.Helper()
	for _, m := range w.Motions(since) {
		if m.Moves() {
			tb.Fatalf("%v after it stopped, %d/%d was on the wire", m.At.Sub(since), m.Left, m.Right)
		}
	}
}

// LongestPause is the longest time between two commands at or after a moment.
func (w *Wire) LongestPause(since time.Time) time.Duration {
	longest := time.Duration(math.MinInt64)
	motions := w.Motions(since)
	for i := 1; i < len(motions); i++ {
		longest = max(longest, motions[i].At.Sub(motions[i-1].At))
	}
	return longest
}
