package relay

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/waldo-robot/waldo/pkg/socket"
)

// allocation is an address at which the peers of one client send to it. To the server of pion it is a socket from which
// nothing ever comes: what arrives goes straight to the client.
type allocation struct {
	relay    *Relay
	identity string
	robot    string
	relayed  netip.AddrPort // as clients and peers know it
	local    netip.AddrPort // as other allocations of this relay reach it
	*socket.Bursts

	routes   atomic.Pointer[routes]
	up, down *rate.Limiter // to peers, to the client

	mu      sync.Mutex // of what follows, and of changes to routes
	client  client     // nil until the allocation is answered, and when it is closed
	ended   bool
	reading chan struct{} // closed when pion no longer reads
	gone    chan struct{} // closed when the allocation is forgotten
}

// client is who made an allocation.
type client interface {
	outbox() outbox
	// attach and detach tell that an allocation has begun and ended.
	attach(*allocation)
	detach(*allocation)
	held() *allocation
	// slow reports whether sending can take long. An outbox of such a client copies what is added.
	slow() bool
	transport() string
	address() netip.AddrPort
}

// outbox collects packets for a client. Their memory is in use until flush returns. It is not safe for concurrent use.
type outbox interface {
	// channel adds a packet that came from the peer of a channel, and data one that came from another peer.
	channel(number uint16, packet []byte)
	data(peer netip.AddrPort, packet []byte)
	// flush sends what was added, and returns how much of it was lost.
	flush() (lost int)
}

// routes are the peers of an allocation. They are replaced, never changed.
type routes struct {
	permitted map[netip.Addr]bool
	peers     map[uint16]netip.AddrPort
	channels  map[netip.AddrPort]uint16
}

func newAllocation(r *Relay, identity string, relayed netip.AddrPort, s *socket.Bursts) *allocation {
	limit := func() *rate.Limiter {
		const burst = 2 << 20 // a few pictures at once
		return rate.NewLimiter(rate.Limit(r.config.Limits.Bandwidth), max(burst, r.config.Limits.Bandwidth/4))
	}
	robot, _, _ := strings.Cut(identity, ":")
	local, _ := addrPort(s.LocalAddr())
	if local.Addr().IsUnspecified() { // the public address is that of a router
		local = netip.AddrPortFrom(loopback(relayed.Addr()), local.Port())
	}
	a := &allocation{relay: r, identity: identity, robot: robot, relayed: relayed, local: local, Bursts: s, up: limit(),
		down: limit(), reading: make(chan struct{}), gone: make(chan struct{})}
	a.routes.Store(&routes{})
	return a
}

func loopback(family netip.Addr) netip.Addr {
	if family.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// begin tells who the client is. It is called before the first packet is read.
func (a *allocation) begin(c client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	a.client = c
	c.attach(a)
	a.relay.count(c.address(), 1)
	a.relay.metrics.allocations.WithLabelValues(c.transport()).Inc()
}

// change replaces the routes.
func (a *allocation) change(f func(*routes)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.routes.Load()
	r := &routes{permitted: copied(old.permitted), peers: copied(old.peers), channels: copied(old.channels)}
	f(r)
	a.routes.Store(r)
}

func copied[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m)+1)
	maps.Copy(c, m)
	return c
}

// peer returns the peer of a channel. Without an allocation there is none.
func (a *allocation) peer(number uint16) (netip.AddrPort, bool) {
	if a == nil {
		return netip.AddrPort{}, false
	}
	peer, ok := a.routes.Load().peers[number]
	return peer, ok
}

func (a *allocation) permit(ip netip.Addr) { a.change(func(r *routes) { r.permitted[ip] = true }) }
func (a *allocation) forbid(ip netip.Addr) { a.change(func(r *routes) { delete(r.permitted, ip) }) }

func (a *allocation) bind(number uint16, peer netip.AddrPort) {
	a.change(func(r *routes) { r.peers[number], r.channels[peer] = peer, number })
}

func (a *allocation) unbind(number uint16) {
	a.change(func(r *routes) {
		delete(r.channels, r.peers[number])
		delete(r.peers, number)
	})
}

// ReadFrom implements [net.PacketConn] for the server of pion. It passes on what peers send until the allocation ends.
func (a *allocation) ReadFrom([]byte) (int, net.Addr, error) {
	defer close(a.reading)
	a.mu.Lock()
	c := a.client
	a.mu.Unlock()
	if c == nil {
		return 0, nil, net.ErrClosed
	}
	in := &inward{allocation: a, client: c, out: c.outbox()}
	for {
		err := a.Receive(in.take, in.done)
		if errors.Is(err, net.ErrClosed) {
			return 0, nil, err
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // the system is out of memory, for instance
		}
		in.flush()
	}
}

// inward passes packets of peers on to the client.
type inward struct {
	allocation *allocation
	client     client
	out        outbox
	packets    int
	bytes      int
}

// take takes packets of one peer.
func (i *inward) take(data []byte, size int, from netip.AddrPort) {
	a := i.allocation
	from = a.relay.known(from)
	routes, count := a.routes.Load(), max(1, (len(data)+size-1)/size)
	if !routes.permitted[from.Addr()] {
		a.relay.metrics.lose(lostPermission, count)
		return
	}
	if !a.down.AllowN(time.Now(), len(data)) {
		a.relay.metrics.lose(lostBandwidth, count)
		return
	}
	i.packets += count
	i.bytes += len(data)
	number, bound := routes.channels[from]
	if len(data) == 0 {
		i.add(number, bound, from, nil)
	}
	for packet := range slices.Chunk(data, size) {
		i.add(number, bound, from, packet)
	}
}

func (i *inward) add(number uint16, bound bool, from netip.AddrPort, packet []byte) {
	if bound {
		i.out.channel(number, packet)
	} else {
		i.out.data(from, packet)
	}
}

// done sends what was taken. To a client that can be slow it is sent after Receive,
// which Close waits for.
func (i *inward) done() (more bool) {
	slow := i.client.slow()
	if !slow {
		i.flush()
	}
	return !slow
}

func (i *inward) flush() {
	m := i.allocation.relay.metrics
	if lost := i.out.flush(); lost > 0 {
		m.lose(lostSending, lost)
	}
	m.toClients.add(i.packets, i.bytes)
	i.packets, i.bytes = 0, 0
}

// send passes packets of the client on to a peer.
func (a *allocation) send(packets *socket.Run, to netip.AddrPort) {
	count, m := packets.Len(), a.relay.metrics
	switch {
	case count == 0:
		return
	case !a.routes.Load().permitted[to.Addr()]:
		m.lose(lostPermission, count)
		return
	case !a.up.AllowN(time.Now(), packets.Bytes()):
		m.lose(lostBandwidth, count)
		return
	}
	if other := a.relay.at(to); other != nil {
		to = other.local
	} else if !a.relay.rules.peer(to) {
		m.lose(lostPeer, count)
		return
	}
	if a.Send(packets, to) != nil {
		m.lose(lostSending, count)
		return
	}
	m.toPeers.add(count, packets.Bytes())
}

// WriteTo implements [net.PacketConn] for the server of pion, which uses it for data without a channel.
func (a *allocation) WriteTo(b []byte, to net.Addr) (int, error) {
	peer, ok := addrPort(to)
	if !ok {
		return 0, net.InvalidAddrError("no address of UDP")
	}
	var one socket.Run
	one.Add(b)
	a.send(&one, peer)
	return len(b), nil
}

// Close implements [net.PacketConn]. It never fails, since the server of pion would leave others open.
func (a *allocation) Close() error {
	a.mu.Lock()
	c, ended := a.client, a.ended
	a.client, a.ended = nil, true
	a.mu.Unlock()
	if ended {
		return nil
	}
	defer close(a.gone)
	_ = a.Bursts.Close()
	a.relay.remove(a)
	if c != nil {
		c.detach(a)
		a.relay.count(c.address(), -1)
		a.relay.metrics.allocations.WithLabelValues(c.transport()).Dec()
	}
	return nil
}

// addrPort converts an address of UDP or TCP.
func addrPort(a net.Addr) (netip.AddrPort, bool) {
	var p netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		p = a.AddrPort()
	case *net.TCPAddr:
		p = a.AddrPort()
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port()), p.IsValid()
}
