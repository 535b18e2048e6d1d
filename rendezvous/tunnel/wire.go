package tunnel

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"
)

// maxMessage bounds a message of the tunnel: one write to a stream, which its window bounds.
const maxMessage = 512 << 10

// wire is a WebSocket as a stream of bytes. Binary messages are parts of the stream.
type wire struct {
	socket *websocket.Conn
	addr   net.Addr // of the far end
	open   chan struct{}
	closed chan struct{}
	ctx    context.Context // of reading: the only way to cut a WebSocket that waits for the far end to agree to its end
	cut    context.CancelFunc
	once   sync.Once
	heard  atomic.Int64 // how often something came
	part   io.Reader    // what is left of a message; nil: nothing

	mu  sync.Mutex
	err error // why reading ended
}

// newWire returns a wire that sends nothing until open is closed.
func newWire(socket *websocket.Conn, addr net.Addr, open chan struct{}) *wire {
	w := &wire{socket: socket, addr: addr, open: open, closed: make(chan struct{})}
	w.ctx, w.cut = context.WithCancel(context.Background())
	return w
}

var (
	errText = errors.New("a text message came after the registration")
	errLost = errors.New("the connection was lost")
)

// Read implements [io.Reader].
func (w *wire) Read(p []byte) (int, error) {
	for {
		n, err := w.read(p)
		if n > 0 {
			w.heard.Add(1)
		}
		if n > 0 || err != nil {
			return n, w.note(err)
		}
	}
}

func (w *wire) read(p []byte) (int, error) {
	if w.part == nil {
		kind, part, err := w.socket.Reader(w.ctx)
		if err != nil {
			return 0, err
		}
		if kind != websocket.MessageBinary {
			return 0, errText
		}
		w.part = part
	}
	n, err := w.part.Read(p)
	if errors.Is(err, io.EOF) {
		w.part, err = nil, nil
	}
	return n, err
}

// note keeps the first error.
func (w *wire) note(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	return err
}

// reason is why reading ended.
func (w *wire) reason() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cmp.Or(w.err, errLost)
}

// Write implements [io.Writer].
func (w *wire) Write(p []byte) (int, error) {
	select {
	case <-w.open:
	case <-w.closed:
		return 0, net.ErrClosed
	}
	if err := w.socket.Write(context.Background(), websocket.MessageBinary, p); err != nil { // ends as Read does
		return 0, err
	}
	return len(p), nil
}

// Close implements [io.Closer].
func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	w.cut()
	return w.socket.CloseNow()
}

// LocalAddr and RemoteAddr are those of the tunnel's streams.
func (w *wire) LocalAddr() net.Addr  { return w.addr }
func (w *wire) RemoteAddr() net.Addr { return w.addr }

// addr names an end of a tunnel.
type addr string

func (a addr) Network() string { return "tunnel" }
func (a addr) String() string  { return string(a) }
