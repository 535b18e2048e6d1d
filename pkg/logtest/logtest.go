// Package logtest is for what logs in tests. [New] and [Writer] write to the log of a test, and nothing after its end, when writing
// there would panic: so what a library does late, or a device that hangs, cannot fail the tests that come next. [Text] keeps a log
// for the test to look at.
//
// Loggers and writers are safe for concurrent use.
package logtest

import (
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// New returns a logger that writes to the log of a test until its end. Level is the least that is written.
func New(t testing.TB, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(Writer(t), &slog.HandlerOptions{Level: level}))
}

// Writer returns what writes to the log of a test until its end, and then nowhere.
func Writer(t testing.TB) io.Writer {
	w := &writer{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t = nil
	})
	return w
}

type writer struct {
	mu sync.Mutex
	t  testing.TB // nil after the end
}

// Write implements [io.Writer].
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}
