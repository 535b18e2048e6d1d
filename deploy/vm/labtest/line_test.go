package labtest

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// line is the far end of a serial line, in place of a board. It records what it receives, with the time.
type line struct {
	t    *testing.T
	file *os.File

	mu        sync.Mutex
	pieces    []heard
	more      chan struct{} // closed and replaced when data arrives
	listening sync.WaitGroup
}

// heard is a piece of received data.
type heard struct {
	at   time.Time
	data string
}

// openLine opens the far end of a line. It does not read before listen.
func openLine(t *testing.T, path string) *line {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, file: f, more: make(chan struct{})}
	t.Cleanup(l.close)
	if err := makeRaw(f); err != nil {
		t.Fatal(err)
	}
	return l
}

// hearLine opens the far end of a line and starts reading.
func hearLine(t *testing.T, path string) *line {
	t.Helper()
	l := openLine(t, path)
	l.listen()
	return l
}

// makeRaw makes the terminal pass bytes unchanged, and not echo them.
func makeRaw(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		settings, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		if err != nil {
			failed = err
			return
		}
		settings.Iflag, settings.Oflag, settings.Lflag = 0, 0, 0
		settings.Cc[unix.VMIN], settings.Cc[unix.VTIME] = 1, 0
		failed = unix.IoctlSetTermios(int(fd), unix.TCSETS, settings)
	})
	if err != nil {
		return err
	}
	return failed
}

// listen reads from now on, until the line is closed or breaks.
func (l *line) listen() {
	l.listening.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, err := l.file.Read(buffer)
			if err != nil {
				return
			}
			l.note(string(buffer[:n]))
		}
	})
}

func (l *line) note(data string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pieces = append(l.pieces, heard{time.Now(), data})
	close(l.more)
	l.more = make(chan struct{})
}

// close closes the far end. It may be called more than once.
func (l *line) close() {
	l.file.Close()
	l.listening.Wait()
}

// say sends text from the far end.
func (l *line) say(data string) {
	l.t.Helper()
	if err := l.file.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.file.WriteString(data); err != nil {
		l.t.Fatal(err)
	}
}

// all is all data received.
func (l *line) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return join(l.pieces)
}

func join(pieces []heard) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.data)
	}
	return b.String()
}

// at returns when the last of the first n bytes arrived.
func (l *line) at(n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pieces {
		if n -= len(p.data); n <= 0 {
			return p.at
		}
	}
	return time.Time{}
}

// await waits until the data from an offset on contains some text, and returns the offset after it.
func (l *line) await(from int, text string) (behind int) {
	l.t.Helper()
	for limit := time.After(patience); ; {
		l.mu.Lock()
		all, more := join(l.pieces), l.more
		l.mu.Unlock()
		if i := strings.Index(all[from:], text); i >= 0 {
			return from + i + len(text)
		}
		select {
		case <-more:
		case <-limit:
			l.t.Fatalf("%q did not arrive in %v; after %d bytes came %q", text, patience, from, all[from:])
		}
	}
}
