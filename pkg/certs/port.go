package certs

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// handshake is the first byte of a connection that begins with TLS (RFC 8446, 5.1). No request of HTTP or HTTP/2 begins
// with it.
const handshake = 0x16

// Port serves TLS and what comes without on one port: the first byte of a connection tells. The connections decide when
// they are first read or written, in the goroutine of who does that. So who accepts them has to set deadlines, as
// servers of [net/http] and gRPC do, and to decide what it does without TLS.
func Port(l net.Listener, settings *tls.Config) net.Listener { return &port{l, settings} }

type port struct {
	net.Listener
	settings *tls.Config
}

// Accept implements [net.Listener].
func (p *port) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, port: p}, nil
}

// conn is a connection that may turn out to have TLS.
type conn struct {
	net.Conn // as it was accepted
	port     *port

	once    sync.Once
	carrier net.Conn // nil until decided, and if err is not
	err     error

	mu      sync.Mutex
	secured *tls.Conn // nil without TLS
}

// decided returns what carries the data.
func (c *conn) decided() (net.Conn, error) {
	c.once.Do(c.decide)
	return c.carrier, c.err
}

func (c *conn) decide() {
	begun := &begun{Conn: c.Conn}
	if _, err := io.ReadFull(c.Conn, begun.first[:]); err != nil {
		c.err = err
		return
	}
	begun.unread = true
	if begun.first[0] == handshake {
		secured := tls.Server(begun, c.port.settings)
		if c.err = secured.Handshake(); c.err != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.secured, c.carrier = secured, secured
		return
	}
	c.carrier = begun
}

// Read implements [io.Reader].
func (c *conn) Read(b []byte) (int, error) {
	carrier, err := c.decided()
	if err != nil {
		return 0, err
	}
	return carrier.Read(b)
}

// Write implements [io.Writer].
func (c *conn) Write(b []byte) (int, error) {
	carrier, err := c.decided()
	if err != nil {
		return 0, err
	}
	return carrier.Write(b)
}

// Close says goodbye in TLS, if that is there.
func (c *conn) Close() error {
	if secured := c.tls(); secured != nil {
		return secured.Close()
	}
	return c.Conn.Close()
}

// NetConn returns what was accepted, as that of a tls.Conn does: who closes that does not wait to say goodbye.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) tls() *tls.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secured
}

// Decide has a connection that was accepted from a [Port] decide, and returns the state of its TLS; nil if it has none.
// Connections that have others below are taken apart with their method NetConn.
func Decide(c net.Conn) (*tls.ConnectionState, error) {
	accepted := accepted(c)
	if accepted == nil {
		return nil, nil
	}
	if _, err := accepted.decided(); err != nil {
		return nil, err
	}
	return State(accepted), nil
}

// accepted finds a connection of a port.
func accepted(c net.Conn) *conn {
	for c != nil {
		if found, ok := c.(*conn); ok {
			return found
		}
		above, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = above.NetConn()
	}
	return nil
}

// State is Decide for a connection that was read from; nil for one that was not.
func State(c net.Conn) *tls.ConnectionState {
	accepted := accepted(c)
	if accepted == nil {
		return nil
	}
	secured := accepted.tls()
	if secured == nil {
		return nil
	}
	state := secured.ConnectionState()
	return &state
}

// contextKey is that of a connection in a context.
type contextKey struct{}

// InContext is the ConnContext of a [http.Server] that serves a [Port].
func InContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// WithTLS sets the TLS of requests that came by TLS to a [Port], as a server does that serves TLS alone. The server
// needs [InContext].
func WithTLS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(contextKey{}).(net.Conn); ok && r.TLS == nil {
			if state := State(c); state != nil {
				r = r.WithContext(r.Context()) // a copy
				r.TLS = state
			}
		}
		next.ServeHTTP(w, r)
	})
}

// begun is a connection whose first byte was read.
type begun struct {
	net.Conn
	first  [1]byte
	unread bool
}

// Read implements [io.Reader].
func (b *begun) Read(p []byte) (int, error) {
	if !b.unread || len(p) == 0 {
		return b.Conn.Read(p)
	}
	b.unread = false
	return copy(p, b.first[:]), nil
}

// Local reports whether a connection comes from this machine, by the address of the other end: one of loopback, or
// another one of this machine. What it carries crosses no network.
func Local(remote net.Addr) bool {
	at, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return false
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.IsLoopback() {
		return true
	}
	own, _ := net.InterfaceAddrs() // none, if the system does not tell
	return slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap().WithZone("") == ip
	})
}
