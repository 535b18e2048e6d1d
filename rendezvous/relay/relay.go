package relay

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
)

// Relay is a server of TURN and STUN.
type Relay struct {
	config  Config
	rules   *rules
	gate    *gate
	metrics *metrics
	udp     []*udpPort
	routed  atomic.Bool // a router translates a public address
	closing sync.Once
	failed  error // of closing

	mu      sync.RWMutex
	closed  bool
	streams []*streamPort
	relayed map[netip.AddrPort]*allocation
	locals  map[netip.AddrPort]*allocation
	robots  map[string]int
	sites   map[netip.Prefix]int
}

// New starts a relay. It serves UDP from now on; see Serve for TCP.
func New(config Config) (*Relay, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	r := &Relay{config: config, metrics: newMetrics(), relayed: map[netip.AddrPort]*allocation{},
		locals: map[netip.AddrPort]*allocation{}, robots: map[string]int{}, sites: map[netip.Prefix]int{}}
	r.rules = &rules{permit: config.Permit, public: config.Public, ports: map[uint16]bool{}}
	r.gate = newGate(r)
	if err := r.listenAll(config.UDP); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if config.Metrics != nil {
		if err := config.Metrics.Register(r.metrics); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

// UDP returns the addresses of the servers for UDP.
func (r *Relay) UDP() []netip.AddrPort {
	var all []netip.AddrPort
	for _, p := range r.udp {
		a, _ := addrPort(p.LocalAddr())
		all = append(all, a)
	}
	return all
}

// listenAll opens the servers for UDP. All ports are known before the first of them serves.
func (r *Relay) listenAll(addresses []string) error {
	var opened []*net.UDPConn
	for _, address := range addresses {
		more, err := r.listen(address)
		opened = append(opened, more...)
		if err != nil {
			return errors.Join(err, closeAll(opened))
		}
	}
	for _, c := range opened {
		at, _ := addrPort(c.LocalAddr())
		r.rules.ports[at.Port()] = true
	}
	for i, c := range opened {
		if err := r.serveUDP(c); err != nil {
			return errors.Join(err, closeAll(opened[i+1:]))
		}
	}
	return nil
}

func closeAll(conns []*net.UDPConn) (err error) {
	for _, c := range conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

// listen opens the sockets for UDP at an address. Those that were opened before an error are returned with it.
func (r *Relay) listen(address string) (opened []*net.UDPConn, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("relay: UDP address %q: %w", address, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("relay: UDP address %q: the port is not a number from 0 to 65535", address)
	}
	hosts := r.config.Public
	if host != "" {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return nil, fmt.Errorf("relay: UDP address %q: the host is no IP address", address)
		}
		hosts = []netip.Addr{ip}
	}
	for _, ip := range hosts {
		c, _, err := listenUDP(ip, uint16(number))
		if err != nil {
			return opened, fmt.Errorf("relay: %w", err)
		}
		opened = append(opened, c)
	}
	return opened, nil
}

// listenUDP opens a socket at an address, or if that belongs to a router, at all addresses of its family.
func listenUDP(ip netip.Addr, port uint16) (c *net.UDPConn, routed bool, err error) {
	network, all := "udp4", netip.IPv4Unspecified()
	if ip.Is6() {
		network, all = "udp6", netip.IPv6Unspecified()
	}
	c, err = net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, port)))
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		c, err = net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(all, port)))
		return c, true, err
	}
	return c, false, err
}

func (r *Relay) serveUDP(c *net.UDPConn) error {
	p, err := newUDPPort(r, c)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	server := r.server(p)
	server.PacketConnConfigs = []turn.PacketConnConfig{{
		PacketConn: p, RelayAddressGenerator: generator{r}, PermissionHandler: r.permission(p)}}
	if p.server, err = turn.NewServer(server); err != nil {
		return errors.Join(fmt.Errorf("relay: %w", err), p.Close())
	}
	r.udp = append(r.udp, p)
	return nil
}

// Serve begins to serve the connections of a listener, with or without TLS, and returns. The listener belongs to the
// relay from now on.
func (r *Relay) Serve(l net.Listener) error {
	p := newStreamPort(r, l)
	server := r.server(p)
	server.ListenerConfigs = []turn.ListenerConfig{{
		Listener: p, RelayAddressGenerator: generator{r}, PermissionHandler: r.permission(p)}}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.Join(net.ErrClosed, l.Close())
	}
	var err error
	if p.server, err = turn.NewServer(server); err != nil {
		return errors.Join(fmt.Errorf("relay: %w", err), l.Close())
	}
	r.streams = append(r.streams, p)
	return nil
}

// server is the configuration of pion for one port. Each has a server of its own, since the server's events do not say
// which port they are about.
func (r *Relay) server(p holders) turn.ServerConfig {
	return turn.ServerConfig{
		Realm:         r.config.Realm,
		InboundMTU:    maxControl,
		LoggerFactory: &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled},
		// A client that does not name a family gets IPv4, as RFC 8656, 7.2 has it: two clients must get the same.
		StrictAddressFamily: slices.ContainsFunc(r.config.Public, netip.Addr.Is4),
		AuthHandler: func(request *turn.RequestAttributes) (string, []byte, bool) {
			return r.authenticate(request, heldAt(p, request.SrcAddr))
		},
		QuotaHandler: func(identity, _ string, from net.Addr) bool { return r.room(identity, from) },
		EventHandler: r.events(p),
	}
}

// holders are the clients of a port.
type holders interface {
	// find returns the client at an address, or nil.
	find(net.Addr) client
	// current returns which request of that client pion handles.
	current(net.Addr) transaction
}

func heldAt(p holders, address net.Addr) *allocation {
	if c := p.find(address); c != nil {
		return c.held()
	}
	return nil
}

// events keeps what pion decides where packets find it.
func (r *Relay) events(p holders) turn.EventHandler {
	return turn.EventHandler{
		OnAuth: func(_, _ net.Addr, _, _, _, _ string, ok bool) {
			if !ok {
				r.metrics.refuse(refusedForged)
			}
		},
		OnAllocationCreated: func(from, _ net.Addr, _, _, _ string, relayed net.Addr, _ int) {
			if a, c := r.allocationAt(relayed), p.find(from); a != nil && c != nil {
				a.begin(c)
				r.gate.remember(p.current(from), c.address())
			}
		},
		OnPermissionCreated: func(_, _ net.Addr, _, _, _ string, relayed net.Addr, peer net.IP) {
			r.change(relayed, peer, (*allocation).permit)
		},
		OnPermissionDeleted: func(_, _ net.Addr, _, _, _ string, relayed net.Addr, peer net.IP) {
			r.change(relayed, peer, (*allocation).forbid)
		},
		OnChannelCreated: func(_, _ net.Addr, _, _, _ string, relayed, peer net.Addr, number uint16) {
			if a := r.allocationAt(relayed); a != nil {
				if at, ok := addrPort(peer); ok {
					a.bind(number, at)
				}
			}
		},
		OnChannelDeleted: func(_, _ net.Addr, _, _, _ string, relayed, _ net.Addr, number uint16) {
			if a := r.allocationAt(relayed); a != nil {
				a.unbind(number)
			}
		},
	}
}

func (r *Relay) change(relayed net.Addr, peer net.IP, how func(*allocation, netip.Addr)) {
	ip, ok := netip.AddrFromSlice(peer)
	if a := r.allocationAt(relayed); a != nil && ok {
		how(a, ip.Unmap())
	}
}

// permission decides whom the clients of a port may reach.
func (r *Relay) permission(p holders) turn.PermissionHandler {
	return func(from net.Addr, peer net.IP) bool {
		ip, ok := netip.AddrFromSlice(peer)
		held := heldAt(p, from)
		if !ok || held == nil || !r.rules.address(ip) {
			r.metrics.refuse(refusedPeer)
			return false
		}
		permitted := held.routes.Load().permitted
		if len(permitted) >= r.config.Limits.Permissions && !permitted[ip.Unmap()] {
			r.metrics.refuse(refusedPermissions)
			return false
		}
		return true
	}
}

// at returns the allocation with an address, or nil.
func (r *Relay) at(relayed netip.AddrPort) *allocation {
	if !slices.Contains(r.config.Public, relayed.Addr()) {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.relayed[relayed]
}

func (r *Relay) allocationAt(relayed net.Addr) *allocation {
	a, _ := addrPort(relayed)
	return r.at(a)
}

// known returns the address under which a peer is known: for an allocation of this relay, that is its relayed one.
func (r *Relay) known(from netip.AddrPort) netip.AddrPort {
	if !r.routed.Load() || !from.Addr().IsLoopback() {
		return from
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if a := r.locals[from]; a != nil {
		return a.relayed
	}
	return from
}

// Close ends all allocations and connections, at once.
func (r *Relay) Close() error {
	r.closing.Do(func() { r.failed = r.shut() })
	return r.failed
}

func (r *Relay) shut() error {
	r.mu.Lock()
	r.closed = true
	streams, open := r.streams, slices.Collect(maps.Values(r.relayed))
	r.mu.Unlock()
	var err error
	for _, p := range streams {
		err = errors.Join(err, p.server.Close())
	}
	for _, p := range r.udp {
		err = errors.Join(err, p.server.Close())
	}
	for _, a := range open {
		_ = a.Close() // never fails
		<-a.gone
		<-a.reading
	}
	for _, p := range r.udp {
		<-p.closed
	}
	if r.config.Metrics != nil {
		r.config.Metrics.Unregister(r.metrics)
	}
	return err
}

// generator opens the sockets of allocations for pion.
type generator struct{ relay *Relay }

// Validate implements [turn.RelayAddressGenerator].
func (generator) Validate() error { return nil }

// AllocatePacketConn implements [turn.RelayAddressGenerator].
func (g generator) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	a, err := g.relay.open(c.UserID, c.Network == "udp6")
	if err != nil {
		return nil, nil, err
	}
	return a, net.UDPAddrFromAddrPort(a.relayed), nil
}

var errTransport = errors.New("allocations of TCP are not offered")

// AllocateListener implements [turn.RelayAddressGenerator].
func (generator) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errTransport
}

// AllocateConn implements [turn.RelayAddressGenerator].
func (generator) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errTransport }

var (
	errLimit  = errors.New("the relay has too many allocations")
	errFamily = errors.New("the relay has no address of this family")
	errPorts  = errors.New("all ports of the relay are taken")
)

// open makes an allocation. Pion asks for one without an identity when a client wants an even port, which WebRTC has
// no use for.
func (r *Relay) open(identity string, v6 bool) (*allocation, error) {
	i := slices.IndexFunc(r.config.Public, func(a netip.Addr) bool { return a.Is6() == v6 })
	if i < 0 || identity == "" {
		r.metrics.refuse(refusedTransport)
		return nil, errFamily
	}
	public := r.config.Public[i]
	for range r.tries() {
		port := r.config.Ports.First + uint16(rand.IntN(int(r.config.Ports.Last-r.config.Ports.First)+1))
		if a, err := r.openAt(identity, netip.AddrPortFrom(public, port)); !errors.Is(err, syscall.EADDRINUSE) {
			return a, err
		}
	}
	r.metrics.refuse(refusedPorts)
	return nil, errPorts
}

// tries is how many ports are tried, at random: of those that are given out, most are free as a rule.
func (r *Relay) tries() int { return min(8*(int(r.config.Ports.Last-r.config.Ports.First)+1), 256) }

func (r *Relay) openAt(identity string, relayed netip.AddrPort) (*allocation, error) {
	c, routed, err := listenUDP(relayed.Addr(), relayed.Port())
	if err != nil {
		return nil, err
	}
	s, err := newBursts(c, 1<<20)
	if err != nil {
		return nil, err
	}
	a := newAllocation(r, identity, relayed, s)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.relayed) >= r.config.Limits.Total || r.robots[a.robot] >= r.config.Limits.PerRobot {
		return nil, errors.Join(errLimit, s.Close())
	}
	if routed {
		r.routed.Store(true)
	}
	r.relayed[relayed], r.locals[a.local] = a, a
	r.robots[a.robot]++
	return a, nil
}
