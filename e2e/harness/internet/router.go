package internet

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// NAT is how a router treats what passes it.
type NAT string

// The NATs and firewalls.
const (
	// FullCone maps a port of a host to the same port outside. Whoever knows that reaches the host.
	FullCone NAT = "full cone"
	// PortRestricted maps a port of a host to one port outside, which is another. Only those reach the host to whose
	// address and port it has sent something from there.
	PortRestricted NAT = "port-restricted"
	// Symmetric maps a port of a host to another port outside for each address and port that it sends to.
	Symmetric NAT = "symmetric"
	// UDPBlocked is PortRestricted for TCP, and drops UDP.
	UDPBlocked NAT = "UDP blocked"
	// Only443 is PortRestricted for connections to TCP port 443, and drops everything else.
	Only443 NAT = "443 only"
)

// Router is a router with a firewall, between the backbone and a private network.
type Router struct {
	nat       NAT
	namespace namespace
	address   netip.Addr // outside
	private   string     // the beginning of the addresses behind it, of which each router has its own
	hosts     int        // that have joined so far
	rebound   int        // times
}

// Router makes a router. No host is behind it yet.
func (n *Internet) Router(tb testing.TB, nat NAT) *Router {
	tb.Helper()
	n.routers++
	r := &Router{nat: nat, namespace: newNamespace(tb), private: fmt.Sprintf("192.168.%d.", n.routers)}
	r.address, _ = n.attach(tb, r.namespace, "wan", delayed(tb, n.config.Delay))
	r.namespace.set(tb, "net/ipv4/ip_forward", "1")
	r.namespace.ip(tb, "link add lan type bridge", "address add "+r.gateway()+"/24 dev lan", "link set lan up")
	r.apply(tb)
	return r
}

func (r *Router) gateway() string { return r.private + "1" }

// Address is the router's address outside.
func (r *Router) Address() netip.Addr { return r.address }

// Rebind makes the router forget all mappings, as after its restart: what comes from outside is dropped until the host
// has sent something, which gets another port outside. Connections of TCP are lost. It returns since when the mappings
// may have been lost.
func (r *Router) Rebind(tb testing.TB) time.Time {
	tb.Helper()
	return r.forget(tb, "--flush")
}

// RebindUDP is Rebind, but connections of TCP go on. There must be mappings of UDP.
func (r *Router) RebindUDP(tb testing.TB) time.Time {
	tb.Helper()
	return r.forget(tb, "--delete", "--proto", "udp")
}

func (r *Router) forget(tb testing.TB, which ...string) time.Time {
	tb.Helper()
	r.rebound++
	r.apply(tb)
	began := time.Now()
	r.namespace.feed(tb, "", "conntrack", which...)
	return began
}

// apply sets the rules of the router.
func (r *Router) apply(tb testing.TB) {
	tb.Helper()
	first := 20000 + r.rebound%4*10000
	source := fmt.Sprintf("meta l4proto {tcp, udp} masquerade to :%d-%d", first, first+9999)
	destination, allowed := "", "accept"
	switch r.nat {
	case FullCone:
		// What its host sends opens the port, for a minute. It is the host's own port: rules cannot remember another.
		source = "meta l4proto udp update @open {udp sport} masquerade\n" + out + "masquerade"
		destination = "iifname wan udp dport @open dnat to " + r.private + firstHost
	case PortRestricted:
	case Symmetric:
		source += " fully-random"
	case UDPBlocked:
		allowed = "meta l4proto != udp accept"
	case Only443:
		allowed = "tcp dport 443 accept"
	default:
		tb.Fatalf("there is no NAT %q", r.nat)
	}
	r.namespace.feed(tb, fmt.Sprintf(rules, out+source, destination, allowed), "nft", "-f", "-")
}

const (
	firstHost = "10"
	out       = "oifname wan "
)

// rules are those of all routers, around the rules for the source and the destination of packets and
// for what may leave.
const rules = `table ip router
delete table ip router
table ip router {
	set open { type inet_service; flags dynamic, timeout; timeout 1m; }
	chain source {
		type nat hook postrouting priority srcnat;
		%s
	}
	chain destination {
		type nat hook prerouting priority dstnat;
		%s
	}
	chain passing {
		type filter hook forward priority filter; policy drop;
		ct state invalid drop
		ct state established,related accept
		iifname lan %s
		iifname wan ct status dnat accept
	}
	chain received {
		type filter hook input priority filter;
		iifname wan ct state new drop
	}
}
`
