package relay

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/pion/turn/v5"
	"golang.org/x/sys/unix"
)

// streamPort is a server for TCP and TLS.
type streamPort struct {
	net.Listener
	relay  *Relay
	server *turn.Server

	mu      sync.Mutex
	closed  bool
	streams map[netip.AddrPort]*stream
	of      map[netip.Prefix]int
}

func newStreamPort(r *Relay, l net.Listener) *streamPort {
	return &streamPort{Listener: l, relay: r, streams: map[netip.AddrPort]*stream{}, of: map[netip.Prefix]int{}}
}

// Accept implements [net.Listener] for the server of pion.
func (p *streamPort) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // there are too many open files, for instance
			continue
		}
		if s := p.admit(c); s != nil {
			return s, nil
		}
		_ = c.Close()
	}
}

func (p *streamPort) admit(c net.Conn) *stream {
	at, ok := addrPort(c.RemoteAddr())
	if !ok {
		return nil
	}
	s := &stream{Conn: c, port: p, kind: kindOf(c), at: at}
	shortQueue(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	if p.of[site(at.Addr())] >= p.relay.config.Limits.Connections || p.streams[at] != nil {
		p.relay.metrics.refuse(refusedConnections)
		return nil
	}
	p.streams[at] = s
	p.of[site(at.Addr())]++
	return s
}

func (p *streamPort) leave(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.streams[s.at] != s {
		return
	}
	delete(p.streams, s.at)
	key := site(s.at.Addr())
	if p.of[key]--; p.of[key] == 0 {
		delete(p.of, key)
	}
}

// find implements [holders].
func (p *streamPort) find(address net.Addr) client {
	if s := p.stream(address); s != nil {
		return s
	}
	return nil
}

// current implements [holders].
func (p *streamPort) current(address net.Addr) (t transaction) {
	if s := p.stream(address); s != nil && s.transaction.Load() != nil {
		t = *s.transaction.Load()
	}
	return t
}

func (p *streamPort) stream(address net.Addr) *stream {
	at, _ := addrPort(address)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.streams[at]
}

// Close implements [net.Listener]. It also ends the connections, as the server of pion does not.
func (p *streamPort) Close() error {
	p.mu.Lock()
	p.closed = true
	for _, s := range p.streams {
		_ = s.Conn.Close()
	}
	p.mu.Unlock()
	return p.Listener.Close()
}

// kindOf tells TLS by what the connection of this package's callers offers.
func kindOf(c net.Conn) string {
	if _, secure := tlsOf(c); secure {
		return "tls"
	}
	return "tcp"
}

type layered interface{ NetConn() net.Conn }

func tlsOf(c net.Conn) (*tls.Conn, bool) {
	for {
		if t, ok := c.(*tls.Conn); ok {
			return t, true
		}
		l, ok := c.(layered)
		if !ok {
			return nil, false
		}
		c = l.NetConn()
	}
}

// shortQueue keeps what waits in the system for a slow client short: of live pictures, old ones are worth nothing. What
// does not fit waits in the socket of the allocation, and is lost there when that is full.
func shortQueue(c net.Conn) {
	const unsent = 128 << 10
	for {
		if l, ok := c.(layered); ok {
			c = l.NetConn()
			continue
		}
		break
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent) // it is faster with, not else
	})
}
