// Package output keeps a process alive and on time regardless of what happens to the reader of its output.
//
// A log can be a pipe whose reader has gone, a pipe that nobody reads, a file on a full disk, or a
// terminal on which somebody has pressed Ctrl-S. None of these may end a process that controls hardware,
// or make it wait. [Survive] turns signals that would end it into failed writes, and a [Writer] accepts
// lines without waiting: lines that the output cannot take are dropped and counted.
package output

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// queued is how many pieces may wait for a slow output.
const queued = 1024

// Survive makes writes to a broken output fail instead of ending the process: by SIGPIPE, when the
// reader of standard output or error has gone, or by SIGXFSZ, when the file has reached its size limit.
// It is for main functions. Child processes get the system's defaults again.
func Survive() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGXFSZ)
}

// Writer passes on what is written to it without ever waiting for the output. It is safe for concurrent
// use; each Write stays one piece.
type Writer struct {
	out    io.Writer
	gap    func(pieces int64) string
	pieces chan []byte
	lost   atomic.Int64
	done   chan struct{} // closed when everything is written

	mu     sync.RWMutex // write-locked only to close pieces
	closed bool
}

// NewWriter returns a writer in front of out. gap returns the message that so many pieces were dropped,
// which is written as soon as the output accepts data again. Close must be called.
func NewWriter(out io.Writer, gap func(pieces int64) string) *Writer {
	w := &Writer{out: out, gap: gap, pieces: make(chan []byte, queued), done: make(chan struct{})}
	go w.run()
	return w
}

// NewLog returns a writer for a program's log. From now on the standard logger, which some libraries
// use, writes to it too.
func NewLog(out io.Writer) *Writer {
	w := NewWriter(out, func(lines int64) string {
		return fmt.Sprintf("time=%s level=WARN msg=\"dropped lines: the output could not keep up\" lines=%d\n",
			time.Now().Format(time.RFC3339Nano), lines)
	})
	log.SetOutput(w)
	return w
}

// Write accepts b as one piece; it never waits and never fails. After Close it does nothing.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return len(b), nil
	}
	select {
	case w.pieces <- append([]byte(nil), b...):
	default:
		w.lost.Add(1)
	}
	return len(b), nil
}

// run is the only goroutine that uses the output.
func (w *Writer) run() {
	defer close(w.done)
	for piece := range w.pieces {
		if _, err := w.out.Write(piece); err != nil {
			w.lost.Add(1)
			continue
		}
		w.tellLost()
	}
}

func (w *Writer) tellLost() {
	n := w.lost.Swap(0)
	if n == 0 {
		return
	}
	if _, err := io.WriteString(w.out, w.gap(n)); err != nil {
		w.lost.Add(n)
	}
}

// Close returns when everything is written, or after patience if the output is blocked.
func (w *Writer) Close(patience time.Duration) {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.pieces)
	}
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-time.After(patience):
	}
}
