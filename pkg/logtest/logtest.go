// Package logtest is for code that logs in tests. [New] and [Writer] write to the log of a test until it
// ends, because writing there later would panic: so a library that logs late, or a device that hangs,
// cannot fail the next tests. [Text] keeps a log for the test to inspect.
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

// New returns a logger that writes to the log of a test until it ends. Level is the minimum level written.
func New(t testing.TB, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(Writer(t), &slog.HandlerOptions{Level: level}))
}

// Writer returns a writer to the log of a test, which discards everything after the test's end.
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
