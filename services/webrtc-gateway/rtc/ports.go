package rtc

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"

	"github.com/waldo-robot/waldo/pkg/pionnet"
	"github.com/waldo-robot/waldo/pkg/socket"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/outside"
)

// ports is the one UDP port of all connections, and the relays at which it is reached as well. Pion takes a relay for
// another address of the machine; only the far end is told what it is.
type ports struct {
	*ice.UniversalUDPMuxDefault
	log logging.LeveledLogger

	mu     sync.Mutex
	relays []*attachment
}

// attachment is the use of a relay.
type attachment struct {
	ports   *ports
	mux     *ice.UDPMuxDefault
	address string
	idle    chan struct{}

	// Guarded by ports.mu.
	users   map[string]struct{} // by ICE user name
	retired bool
}

func newPorts(udp *socket.Packets, log logging.LeveledLogger) *ports {
	made := make(chan struct{})
	defer close(made)
	return &ports{log: log, UniversalUDPMuxDefault: ice.NewUniversalUDPMuxDefault(ice.UniversalUDPMuxParams{
		Logger: log, UDPConn: late{udp, made}, Net: pionnet.New(),
		XORMappedAddrCacheTTL: 1, // package outside keeps the answers
	})}
}

// late is a socket from which nothing is read before pion has made its mux: it begins to read while it makes it, and
// does not stand packets meanwhile. Peers of a gateway that was restarted go on sending.
type late struct {
	*socket.Packets
	made <-chan struct{}
}

// ReadFromAddrPort is what pion reads by.
func (l late) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	<-l.made
	return l.Packets.ReadFromAddrPort(b)
}

// GetListenAddresses implements [ice.UDPMux].
func (p *ports) GetListenAddresses() []net.Addr {
	list := p.UniversalUDPMuxDefault.GetListenAddresses()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.relays {
		if !a.retired {
			list = append(list, a.mux.LocalAddr())
		}
	}
	return list
}

// GetConn implements [ice.UDPMux].
func (p *ports) GetConn(ufrag string, address net.Addr) (net.PacketConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.relays {
		if a.retired || a.address != address.String() {
			continue
		}
		c, err := a.mux.GetConn(ufrag, address)
		if err == nil {
			a.users[ufrag] = struct{}{}
		}
		return c, err
	}
	return p.UniversalUDPMuxDefault.GetConn(ufrag, address)
}

// RemoveConnByUfrag implements [ice.UDPMux].
func (p *ports) RemoveConnByUfrag(ufrag string) {
	p.UniversalUDPMuxDefault.RemoveConnByUfrag(ufrag)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range slices.Clone(p.relays) {
		a.mux.RemoveConnByUfrag(ufrag)
		delete(a.users, ufrag)
		a.settle()
	}
}

// Ask implements [outside.Port].
func (p *ports) Ask(ctx context.Context, server netip.AddrPort, timeout time.Duration) (netip.AddrPort, error) {
	seen, err := p.GetXORMappedAddrContext(ctx, net.UDPAddrFromAddrPort(server), timeout)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ip, _ := netip.AddrFromSlice(seen.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(seen.Port)), nil
}

// Addresses implements [outside.Port].
func (p *ports) Addresses() []netip.AddrPort {
	var list []netip.AddrPort
	for _, a := range p.UniversalUDPMuxDefault.GetListenAddresses() {
		own := a.(*net.UDPAddr).AddrPort()
		list = append(list, netip.AddrPortFrom(own.Addr().Unmap().WithZone(""), own.Port()))
	}
	slices.SortFunc(list, netip.AddrPort.Compare)
	return list
}

// Attach implements [outside.Port].
func (p *ports) Attach(relay net.PacketConn) outside.Attachment {
	a := &attachment{
		ports: p, mux: ice.NewUDPMuxDefault(ice.UDPMuxParams{Logger: p.log, UDPConn: relay}),
		address: relay.LocalAddr().String(), idle: make(chan struct{}), users: make(map[string]struct{}),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.relays = append(p.relays, a)
	return a
}

// Retire implements [outside.Attachment].
func (a *attachment) Retire() {
	a.ports.mu.Lock()
	defer a.ports.mu.Unlock()
	a.retired = true
	a.settle()
}

// Idle implements [outside.Attachment].
func (a *attachment) Idle() <-chan struct{} { return a.idle }

// settle forgets a relay that is not used any more; ports.mu is held.
func (a *attachment) settle() {
	i := slices.Index(a.ports.relays, a)
	if i < 0 || !a.retired || len(a.users) > 0 {
		return
	}
	a.ports.relays = slices.Delete(a.ports.relays, i, i+1)
	close(a.idle)
}

// isRelay reports whether an address is that of a relay.
func (p *ports) isRelay(address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.relays, func(a *attachment) bool { return strings.EqualFold(a.address, address) })
}

var _ outside.Port = (*ports)(nil)
