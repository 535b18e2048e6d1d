// Package porttest checks that a driver keeps the contract of package port. Every driver's tests run it.
package porttest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/serial/port"
)

// patience is how long a test waits, on a busy machine, for something that should come at once.
const patience = 20 * time.Second

// Line is an open port and the board at its other end.
type Line struct {
	Port port.Port
	// Say has the board send something, and returns the bytes that come first. It may be called again.
	Say func(t *testing.T) []byte
	// Listen returns when all of the bytes have reached the board, and fails the test if they do not;
	// nil if the driver cannot tell.
	Listen func(t *testing.T, all []byte)
	// Pull unplugs the board; nil if that is impossible.
	Pull func(t *testing.T)
}

// Run checks lines made by open, which is called once for every check and itself fails the test if it
// cannot open one.
func Run(t *testing.T, open func(t *testing.T) Line) {
	for name, check := range map[string]func(*testing.T, Line){
		"reads what the board sends":           reads,
		"writes what the board receives":       writes,
		"close ends a read":                    closes,
		"nothing works after close":            closed,
		"a board that goes away ends a read":   pulled,
		"a board that is gone accepts nothing": gone,
	} {
		t.Run(name, func(t *testing.T) {
			line := open(t)
			t.Cleanup(func() { _ = line.Port.Close() })
			check(t, line)
		})
	}
}

// within runs f, and fails the test if it does not return.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
}

func reads(t *testing.T, line Line) {
	for range 3 {
		want := line.Say(t)
		var got []byte
		within(t, "read", func() {
			for buffer := make([]byte, 7); !bytes.Contains(got, want); { // smaller than the bytes sent
				n, err := line.Port.Read(buffer)
				if err != nil || n == 0 {
					t.Errorf("read: %d, %v", n, err)
					return
				}
				got = append(got, buffer[:n]...)
			}
		})
	}
}

func writes(t *testing.T, line Line) {
	all := make([]byte, 3000) // more than a driver takes at once, less than a line buffers
	for i := range all {
		all[i] = byte(i)
	}
	within(t, "write", func() {
		for _, part := range [][]byte{all[:1], all[1:100], all[100:], nil} {
			if n, err := line.Port.Write(part); err != nil || n != len(part) {
				t.Errorf("write of %d bytes: %d, %v", len(part), n, err)
			}
		}
		if d, ok := line.Port.(port.Drainer); ok {
			if err := d.Drain(); err != nil {
				t.Errorf("drain: %v", err)
			}
		}
	})
	if line.Listen != nil {
		line.Listen(t, all)
	}
}

// drain reads until there is an error.
func drain(p port.Port) error {
	_, err := io.Copy(io.Discard, reader{p})
	return err
}

// reader hides a port's other methods, and that io.EOF is not an error to io.Copy.
type reader struct{ p port.Port }

func (r reader) Read(b []byte) (int, error) {
	n, err := r.p.Read(b)
	if errors.Is(err, io.EOF) {
		err = errors.New("EOF is not a reason")
	}
	return n, err
}

func closes(t *testing.T, line Line) {
	ended := make(chan error, 1)
	go func() { ended <- drain(line.Port) }()
	if err := line.Port.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("the read ended with %v, which does not wrap os.ErrClosed", err)
		}
	case <-time.After(patience):
		t.Error("the read did not end")
	}
}

func closed(t *testing.T, line Line) {
	for range 2 {
		if err := line.Port.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := line.Port.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if _, err := line.Port.Write([]byte{1}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write: %v", err)
	}
}

func pulled(t *testing.T, line Line) {
	if line.Pull == nil {
		return // it cannot be unplugged
	}
	ended := make(chan error, 1)
	go func() { ended <- drain(line.Port) }()
	line.Pull(t)
	select {
	case err := <-ended:
		if !errors.Is(err, device.ErrAway) {
			t.Errorf("the read ended with %v, which does not wrap ErrAway", err)
		}
	case <-time.After(patience):
		t.Error("the read did not end")
	}
}

func gone(t *testing.T, line Line) {
	if line.Pull == nil {
		return
	}
	line.Pull(t)
	within(t, "write", func() {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			if _, err := line.Port.Write([]byte{1}); errors.Is(err, device.ErrAway) {
				return
			}
		}
		t.Error("writes continue")
	})
}
