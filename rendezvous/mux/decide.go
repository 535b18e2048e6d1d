package mux

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"github.com/waldo-robot/waldo/pkg/socket"
)

// decide tells who a connection is for, as whom they get it, and how that is counted. Nobody gets what is unknown.
func (m *Mux) decide(c net.Conn) (*listener, net.Conn, string) {
	if err := c.SetDeadline(time.Now().Add(m.config.Patience)); err != nil {
		return nil, nil, "closed"
	}
	first, err := peek(c)
	if err != nil {
		return nil, nil, silent(err)
	}
	if first.kind() != kindTLS {
		return m.deliver(first)
	}
	if m.config.TLS == nil {
		return nil, nil, "tls_refused"
	}
	first.Conn = socket.Stream(c) // most of what comes with TLS is media, or a tunnel
	secured := tls.Server(first, m.config.TLS)
	if err := secured.Handshake(); err != nil {
		return nil, nil, "tls_failed"
	}
	switch secured.ConnectionState().NegotiatedProtocol {
	case "h2", "http/1.1":
		return m.http, secured, settled(secured, "http")
	case "stun.turn", "stun.nat-discovery":
		return m.turn, &conn{Conn: secured, secure: true}, settled(secured, "turn")
	case "":
	default: // such as acme-tls/1, which is over with the handshake
		return nil, nil, "other_protocol"
	}
	inner, err := peek(secured)
	if err != nil {
		return nil, nil, silent(err)
	}
	inner.secure = true
	return m.deliver(inner)
}

func (m *Mux) deliver(c *conn) (*listener, net.Conn, string) {
	switch c.kind() {
	case kindHTTP:
		return m.http, c, settled(c, "http")
	case kindTURN:
		c.Conn = socket.Stream(c.Conn)
		return m.turn, c, settled(c, "turn")
	}
	return nil, nil, "unknown"
}

// settled ends the patience: from now on, deadlines are up to who accepts the connection.
func settled(c net.Conn, outcome string) string {
	_ = c.SetDeadline(time.Time{}) // whoever reads learns what is wrong with it
	return outcome
}

func silent(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "silent"
	}
	return "gone"
}

// kind is what the first byte of a connection announces.
type kind int

const (
	kindUnknown kind = iota
	kindTLS
	kindHTTP
	kindTURN
)

func kindOf(first byte) kind {
	const handshake = 0x16
	switch {
	case first == handshake:
		return kindTLS
	case first >= 'A' && first <= 'Z':
		return kindHTTP
	case first <= 0x01: // of messages of STUN: the methods of TURN are below 0x80, see RFC 8489, 5
		return kindTURN
	}
	return kindUnknown
}

// conn is a connection whose first byte was read.
type conn struct {
	net.Conn
	first  [1]byte
	unread bool
	secure bool
}

func peek(c net.Conn) (*conn, error) {
	p := &conn{Conn: c, unread: true}
	_, err := c.Read(p.first[:])
	return p, err
}

func (c *conn) kind() kind { return kindOf(c.first[0]) }

// Read implements [net.Conn].
func (c *conn) Read(b []byte) (int, error) {
	if !c.unread || len(b) == 0 {
		return c.Conn.Read(b)
	}
	c.unread = false
	return copy(b, c.first[:]), nil
}

// Secure reports whether a connection that was accepted from a Mux has TLS. It is for a ConnContext of [net/http]: a
// request knows only TLS that came with an agreed protocol.
func Secure(c net.Conn) bool {
	switch c := c.(type) {
	case *tls.Conn:
		return true
	case *conn:
		return c.secure
	}
	return false
}

// NetConn returns what is below, as that of [tls.Conn] does.
func (c *conn) NetConn() net.Conn { return c.Conn }
