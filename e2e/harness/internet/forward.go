package internet

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Forward makes a free port of this machine's loopback interface lead to the same port of the host's loopback
// interface, until the test ends. It returns the port.
func (h *Host) Forward(tb testing.TB) (port string) {
	tb.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	address := listener.Addr().String()
	f := forwarder{dial: func() (c net.Conn, err error) {
		err = h.Do(func() (err error) { c, err = net.Dial("tcp4", address); return err })
		return c, err
	}}
	f.over.Go(func() { f.accept(listener) })
	tb.Cleanup(func() {
		_ = listener.Close()
		f.close()
	})
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// forwarder passes on what comes in, both ways.
type forwarder struct {
	dial func() (net.Conn, error)
	over sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  []net.Conn
}

func (f *forwarder) accept(l net.Listener) {
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		f.over.Go(func() {
			defer func() { _ = near.Close() }()
			far, err := f.dial()
			if err != nil {
				return
			}
			defer func() { _ = far.Close() }()
			if f.keep(near, far) {
				join(near, far)
			}
		})
	}
}

// keep has connections closed with the forwarder. It returns false if that is over.
func (f *forwarder) keep(conns ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, conns...)
	return !f.closed
}

func (f *forwarder) close() {
	f.mu.Lock()
	f.closed = true
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.over.Wait()
}

// join copies in both directions until one ends.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	for _, c := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(c[0], c[1]) // either end may leave at any time
			_ = a.Close()
			_ = b.Close()
		})
	}
	both.Wait()
}
