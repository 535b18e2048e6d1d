package relay

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/turn/v5"

	"github.com/waldo-robot/waldo/pkg/socket"
)

// udpPort is a server for UDP. To the server of pion it is a socket on which only control messages arrive; ChannelData
// goes straight to the peers.
type udpPort struct {
	relay  *Relay
	socket *socket.Bursts
	server *turn.Server

	mu          sync.RWMutex
	allocations map[netip.AddrPort]*allocation // by client

	// Only the goroutine that reads uses these.
	control     []datagram
	transaction transaction // of the request that pion handles
	to          *allocation // of run
	peer        netip.AddrPort
	run         socket.Run

	closed chan struct{} // closed when pion no longer reads
}

type datagram struct {
	data []byte
	from netip.AddrPort
}

func newUDPPort(r *Relay, c *net.UDPConn) (*udpPort, error) {
	s, err := newBursts(c, 4<<20)
	if err != nil {
		return nil, err
	}
	return &udpPort{relay: r, socket: s, allocations: map[netip.AddrPort]*allocation{}, closed: make(chan struct{})}, nil
}

// newBursts gives a socket buffers of some size each way, as far as the system allows.
func newBursts(c *net.UDPConn, buffer int) (*socket.Bursts, error) {
	s, err := socket.NewBursts(c)
	if err == nil {
		_ = s.SetReadBuffer(buffer)
		_ = s.SetWriteBuffer(buffer)
	}
	return s, err
}

// allocation returns what a client holds, or nil.
func (p *udpPort) allocation(client netip.AddrPort) *allocation {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.allocations[client]
}

// ReadFrom implements [net.PacketConn] for the server of pion. It passes ChannelData on until a control message comes.
func (p *udpPort) ReadFrom(b []byte) (int, net.Addr, error) {
	for len(p.control) == 0 {
		err := p.socket.Receive(p.take, p.done)
		if errors.Is(err, net.ErrClosed) {
			close(p.closed)
			return 0, nil, err
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // the system is out of memory, for instance
		}
	}
	next := p.control[0]
	p.control = slices.Delete(p.control, 0, 1)
	p.transaction = transactionOf(next.data)
	return copy(b, next.data), net.UDPAddrFromAddrPort(next.from), nil
}

// take takes packets of one client.
func (p *udpPort) take(data []byte, size int, from netip.AddrPort) {
	held := p.allocation(from)
	for packet := range slices.Chunk(data, size) {
		if number, payload, ok := channelData(packet); ok {
			p.forward(held, number, payload)
		} else {
			p.check(packet, from, held)
		}
	}
}

func (p *udpPort) forward(held *allocation, number uint16, payload []byte) {
	peer, ok := held.peer(number)
	if !ok {
		p.relay.metrics.lose(lostChannel, 1)
		return
	}
	if held == p.to && peer == p.peer && p.run.Add(payload) {
		return
	}
	p.flush()
	p.to, p.peer = held, peer
	p.run.Add(payload)
}

// done sends the rest of what was taken.
func (p *udpPort) done() (more bool) {
	p.flush()
	return len(p.control) == 0
}

// flush sends what was taken for a peer.
func (p *udpPort) flush() {
	if p.run.Len() > 0 {
		p.to.send(&p.run, p.peer)
		p.run.Reset()
	}
	p.to, p.peer = nil, netip.AddrPort{}
}

func (p *udpPort) check(message []byte, from netip.AddrPort, held *allocation) {
	v := p.relay.gate.check(message, from, held)
	if v.pass {
		p.control = append(p.control, datagram{slices.Clone(message), from})
	} else if v.answer != nil {
		_, _ = p.socket.WriteToAddrPort(v.answer, from) // lost, as packets are
	}
}

// WriteTo implements [net.PacketConn] for the server of pion.
func (p *udpPort) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := addrPort(to)
	if !ok {
		return 0, net.InvalidAddrError("no address of UDP")
	}
	return p.socket.WriteToAddrPort(b, a)
}

// Close implements [net.PacketConn].
func (p *udpPort) Close() error { return p.socket.Close() }

// LocalAddr implements [net.PacketConn].
func (p *udpPort) LocalAddr() net.Addr { return p.socket.LocalAddr() }

// SetDeadline implements [net.PacketConn], as do the next two.
func (p *udpPort) SetDeadline(t time.Time) error      { return p.socket.SetDeadline(t) }
func (p *udpPort) SetReadDeadline(t time.Time) error  { return p.socket.SetReadDeadline(t) }
func (p *udpPort) SetWriteDeadline(t time.Time) error { return p.socket.SetWriteDeadline(t) }

// find implements [holders].
func (p *udpPort) find(address net.Addr) client {
	if a, ok := addrPort(address); ok {
		return &udpClient{port: p, at: a}
	}
	return nil
}

// current implements [holders].
func (p *udpPort) current(net.Addr) transaction { return p.transaction }

// udpClient is a client that reaches the relay by UDP.
type udpClient struct {
	port *udpPort
	at   netip.AddrPort
}

func (c *udpClient) outbox() outbox          { return &datagrams{socket: c.port.socket, to: c.at} }
func (c *udpClient) slow() bool              { return false }
func (c *udpClient) transport() string       { return "udp" }
func (c *udpClient) address() netip.AddrPort { return c.at }
func (c *udpClient) held() *allocation       { return c.port.allocation(c.at) }

func (c *udpClient) attach(a *allocation) {
	c.port.mu.Lock()
	defer c.port.mu.Unlock()
	c.port.allocations[c.at] = a
}

func (c *udpClient) detach(a *allocation) {
	c.port.mu.Lock()
	defer c.port.mu.Unlock()
	if c.port.allocations[c.at] == a {
		delete(c.port.allocations, c.at)
	}
}
