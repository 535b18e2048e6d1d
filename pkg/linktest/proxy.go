package linktest

import (
	"net"
	"net/netip"
	"sync"
)

// headers are those of IPv4 and UDP, which use the link too.
const headers = 20 + 8

// clients is how many addresses may send through a proxy. Packets of more are ignored.
const clients = 256

// Proxy is a port of UDP on the loopback interface that leads through a link to a port of the robot.
type Proxy struct {
	*Link
	near   *net.UDPConn // where clients send to
	target netip.AddrPort
	over   sync.WaitGroup

	mu  sync.Mutex
	far map[netip.AddrPort]*net.UDPConn // a socket for each client, as a NAT has it; nil: closed
}

// NewProxy opens a port that leads to a port of the robot.
func NewProxy(target netip.AddrPort, p Profile, seed uint64) (*Proxy, error) {
	link, err := NewLink(p, seed)
	if err != nil {
		return nil, err
	}
	near, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		link.Close()
		return nil, err
	}
	x := &Proxy{Link: link, near: near, target: target, far: map[netip.AddrPort]*net.UDPConn{}}
	x.over.Go(x.listen)
	return x, nil
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// Address is where clients send to.
func (x *Proxy) Address() netip.AddrPort { return x.near.LocalAddr().(*net.UDPAddr).AddrPort() }

// Close closes the port, drops what is on the way, and waits for all goroutines.
func (x *Proxy) Close() {
	_ = x.near.Close()
	x.mu.Lock()
	for _, far := range x.far {
		_ = far.Close()
	}
	x.far = nil
	x.mu.Unlock()
	x.over.Wait()
	x.Link.Close()
}

// listen takes packets of clients until the port is closed.
func (x *Proxy) listen() {
	receive(x.near, func(data []byte, client netip.AddrPort) {
		far := x.socket(client)
		if far == nil {
			return
		}
		x.ToRobot.Send(data, headers+len(data), func(data []byte) {
			_, _ = far.WriteToUDPAddrPort(data, x.target) // as lossy as any network
		})
	})
}

// socket is that of a client; nil if there is none.
func (x *Proxy) socket(client netip.AddrPort) *net.UDPConn {
	x.mu.Lock()
	defer x.mu.Unlock()
	if far := x.far[client]; far != nil || x.far == nil || len(x.far) == clients {
		return far
	}
	far, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return nil
	}
	x.far[client] = far
	x.over.Go(func() { x.answer(far, client) })
	return far
}

// answer takes the robot's packets to a client until the proxy is closed.
func (x *Proxy) answer(far *net.UDPConn, client netip.AddrPort) {
	receive(far, func(data []byte, from netip.AddrPort) {
		if from != x.target {
			return
		}
		x.FromRobot.Send(data, headers+len(data), func(data []byte) {
			_, _ = x.near.WriteToUDPAddrPort(data, client)
		})
	})
}

// receive calls take with each packet, which belongs to it, until the socket is closed.
func receive(from *net.UDPConn, take func(data []byte, from netip.AddrPort)) {
	_ = from.SetReadBuffer(4 << 20) // what is dropped is for the model to say
	buffer := make([]byte, 1<<16)
	for {
		n, sender, err := from.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		take(append([]byte(nil), buffer[:n]...), netip.AddrPortFrom(sender.Addr().Unmap(), sender.Port()))
	}
}
