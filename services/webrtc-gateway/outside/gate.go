package outside

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/logging"
)

const (
	// maxPermits bounds the addresses that a relay sends to.
	maxPermits = 1024
	// denied is how long an address that the server refused is not asked for again.
	denied = 10 * time.Second
	// maxQueued bounds the packets that wait for a TCP connection to a relay: a second at 2 Mbit/s.
	maxQueued = 256
)

// gate is a relay that never blocks who writes. The server has to permit each address first: until then, what is sent
// to it is lost, except for the first packet. ICE repeats its checks.
type gate struct {
	net.PacketConn
	closed  chan struct{}
	once    sync.Once
	opening sync.WaitGroup

	mu      sync.Mutex
	permits map[netip.Addr]*permit
}

// permit is what is known about an address.
type permit struct {
	open  bool
	until time.Time // when it is asked for again; zero: it is being asked for
}

func newGate(c net.PacketConn) *gate {
	return &gate{PacketConn: c, closed: make(chan struct{}), permits: make(map[netip.Addr]*permit)}
}

// WriteTo sends a packet.
func (g *gate) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("relay: %v is not a UDP address", to)
	}
	if g.permitted(u.AddrPort().Addr().Unmap(), b, to) {
		return g.PacketConn.WriteTo(b, to)
	}
	return len(b), nil
}

// permitted reports whether the server permits an address. It has the server asked if need be, by a packet.
func (g *gate) permitted(ip netip.Addr, b []byte, to net.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.permits[ip]
	switch {
	case g.isClosed():
		return true // the relay tells
	case p != nil && p.open:
		return true
	case p != nil && (p.until.IsZero() || time.Now().Before(p.until)):
		return false
	case p == nil && len(g.permits) >= maxPermits:
		return false
	}
	g.permits[ip] = &permit{}
	first := bytes.Clone(b)
	g.opening.Go(func() { g.open(ip, first, to) })
	return false
}

func (g *gate) isClosed() bool {
	select {
	case <-g.closed:
		return true
	default:
		return false
	}
}

// open sends the first packet to an address, for which the server is asked to permit it.
func (g *gate) open(ip netip.Addr, first []byte, to net.Addr) {
	_, err := g.PacketConn.WriteTo(first, to)
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.permits[ip]
	p.open, p.until = err == nil, time.Now().Add(denied)
}

// Close closes the relay.
func (g *gate) Close() error {
	err := g.PacketConn.Close()
	g.once.Do(func() {
		g.mu.Lock()
		close(g.closed)
		g.mu.Unlock()
	})
	return err
}

// queued is a connection whose writers never wait: what it has no room for is lost, in whole messages.
type queued struct {
	net.Conn
	queue chan []byte
	ended chan struct{}
	once  sync.Once
	sent  sync.WaitGroup
}

func newQueued(c net.Conn) *queued {
	q := &queued{Conn: c, queue: make(chan []byte, maxQueued), ended: make(chan struct{})}
	q.sent.Go(q.send)
	return q
}

// Write sends one message.
func (q *queued) Write(b []byte) (int, error) {
	select {
	case <-q.ended:
		return 0, net.ErrClosed
	default:
	}
	select {
	case q.queue <- slices.Clone(b):
	default:
	}
	return len(b), nil
}

func (q *queued) send() {
	for {
		select {
		case <-q.ended:
			return
		case b := <-q.queue:
			if _, err := q.Conn.Write(b); err != nil {
				_ = q.Conn.Close() // the reader finds out
				return
			}
		}
	}
}

// Close closes the connection.
func (q *queued) Close() error {
	q.once.Do(func() { close(q.ended) })
	err := q.Conn.Close()
	q.sent.Wait()
	return err
}

// quiet is the log of the TURN client: what goes wrong with it is told as an error.
type quiet struct{}

// NewLogger implements [logging.LoggerFactory].
func (quiet) NewLogger(scope string) logging.LeveledLogger {
	return logging.NewDefaultLeveledLoggerForScope(scope, logging.LogLevelDisabled, &strings.Builder{})
}
