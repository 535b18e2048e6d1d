// Package ptytest gives tests a serial port: a pseudo terminal whose far end is a board that the test
// controls. It can be unplugged and plugged in again, and records what it receives with the time.
//
// A [Terminal] is safe for concurrent use. It runs one goroutine while it is plugged in; the end of the
// test unplugs it.
package ptytest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long [Terminal.Await] waits. It does not measure anything.
const Patience = 20 * time.Second

// Terminal is a serial port and the board behind it.
type Terminal struct {
	// Path of the port. It stays the same when the board is unplugged and plugged in again.
	Path string

	hear func(board *os.File, data []byte)

	mu    sync.Mutex
	board *os.File // nil while unplugged
	heard []Heard
	more  chan struct{} // closed, and replaced, when something is received
	ended sync.WaitGroup
}

// Heard is something that reached the board.
type Heard struct {
	At   time.Time
	Data []byte
}

// New returns a port with a plugged-in board. It records what it receives.
func New(tb testing.TB) *Terminal {
	tb.Helper()
	p := &Terminal{more: make(chan struct{})}
	p.hear = p.note
	return p.start(tb)
}

// NewFunc returns a port with a board that calls a function for what it receives, and records nothing.
func NewFunc(tb testing.TB, hear func(board *os.File, data []byte)) *Terminal {
	tb.Helper()
	return (&Terminal{more: make(chan struct{}), hear: hear}).start(tb)
}

func (p *Terminal) start(tb testing.TB) *Terminal {
	tb.Helper()
	p.Path = filepath.Join(tb.TempDir(), "port")
	p.Plug(tb)
	tb.Cleanup(p.Pull)
	return p
}

// Plug plugs the board in.
func (p *Terminal) Plug(tb testing.TB) {
	tb.Helper()
	board, name, err := open()
	if err != nil {
		tb.Fatal(err)
	}
	// Kept open so that the terminal lives while no program has it open.
	port, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err == nil {
		err = makeRaw(int(port.Fd()))
	}
	if err == nil {
		err = os.Symlink(name, p.Path)
	}
	if err != nil {
		tb.Fatal(errors.Join(err, board.Close()))
	}
	p.mu.Lock()
	p.board = board
	p.mu.Unlock()
	p.ended.Go(func() {
		defer func() { _ = port.Close() }()
		p.listen(board)
	})
}

// open returns the board's end of a new pseudo terminal, and the name of the other end.
func open() (board *os.File, name string, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", fmt.Errorf("/dev/ptmx: %w", err)
	}
	board = os.NewFile(uintptr(fd), "/dev/ptmx") // non-blocking, so that Close ends a Read
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, "", errors.Join(err, board.Close())
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, "", errors.Join(err, board.Close())
	}
	return board, fmt.Sprintf("/dev/pts/%d", n), nil
}

// makeRaw keeps the terminal from changing any byte, even before a program has opened it.
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// Pull unplugs the board. Pulling it twice does nothing.
func (p *Terminal) Pull() {
	p.mu.Lock()
	board := p.board
	p.board = nil
	p.mu.Unlock()
	if board == nil {
		return
	}
	_ = os.Remove(p.Path) // the folder may be gone already
	_ = board.Close()
	p.ended.Wait()
}

// listen receives what reaches the board until it is unplugged.
func (p *Terminal) listen(board *os.File) {
	buffer := make([]byte, 4096)
	for {
		n, err := board.Read(buffer)
		if err != nil {
			return
		}
		p.hear(board, buffer[:n])
	}
}

func (p *Terminal) note(_ *os.File, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, Heard{time.Now(), append([]byte(nil), data...)})
	close(p.more)
	p.more = make(chan struct{})
}

// Say has the board send something. It blocks when more than a port buffers, about 4 KB, is unread.
func (p *Terminal) Say(tb testing.TB, data string) {
	tb.Helper()
	p.mu.Lock()
	board := p.board
	p.mu.Unlock()
	if board == nil {
		tb.Fatal("the board is unplugged")
	}
	if _, err := board.WriteString(data); err != nil {
		tb.Fatal(err)
	}
}

// Log is everything that the board has received, in the pieces in which it was read.
func (p *Terminal) Log() []Heard {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Heard(nil), p.heard...)
}

// All is everything that the board has received.
func (p *Terminal) All() string {
	all, _ := p.all()
	return all
}

// all returns what was received, and a channel that is closed when there is more.
func (p *Terminal) all() (string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, h := range p.heard {
		b.Write(h.Data)
	}
	return b.String(), p.more
}

// Await waits until what the board has received, from an offset on, contains some text, and returns the
// offset behind it. It fails the test after Patience.
func (p *Terminal) Await(tb testing.TB, from int, text string) (behind int) {
	tb.Helper()
	for limit := time.After(Patience); ; {
		all, more := p.all()
		if i := strings.Index(all[from:], text); i >= 0 {
			return from + i + len(text)
		}
		select {
		case <-more:
		case <-limit:
			tb.Fatalf("the board did not receive %q; it received %q", text, all[from:])
		}
	}
}
