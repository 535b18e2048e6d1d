package mux

import (
	"net"
	"sync"
)

// listener hands out the connections of one kind.
type listener struct {
	mux   *Mux
	conns chan net.Conn
	done  chan struct{}
	close sync.Once
}

func newListener(m *Mux) *listener {
	return &listener{mux: m, conns: make(chan net.Conn), done: make(chan struct{})}
}

// give reports whether somebody accepted the connection.
func (l *listener) give(c net.Conn) bool {
	select {
	case l.conns <- c:
		return true
	case <-l.done:
	case <-l.mux.done:
	}
	return false
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
	case <-l.mux.done:
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.close.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *listener) Addr() net.Addr { return l.mux.port.Addr() }
