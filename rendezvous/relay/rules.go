package relay

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// closed are the networks of IPv4 that nobody reaches through the relay: those that are not part of the internet, by
// IANA's registry of special-purpose addresses. The networks for documentation are missing, since nobody is there.
var closed = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4")

// Of IPv6, only the global addresses are open, except for those that stand for others.
var (
	global     = netip.MustParsePrefix("2000::/3")
	teredo     = netip.MustParsePrefix("2001::/32")
	sixToFour  = netip.MustParsePrefix("2002::/16")    // RFC 3056: an IPv4 address follows
	translated = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: it ends with an IPv4 address
)

func prefixes(all ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(all))
	for i, p := range all {
		parsed[i] = netip.MustParsePrefix(p)
	}
	return parsed
}

// public reports whether an address is one of the internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case !a.IsValid() || a.Zone() != "":
		return false
	case a.Is4():
		return !slices.ContainsFunc(closed, within)
	case translated.Contains(a):
		b := a.As16()
		return public(netip.AddrFrom4([4]byte(b[12:])))
	case sixToFour.Contains(a):
		b := a.As16()
		return public(netip.AddrFrom4([4]byte(b[2:])))
	}
	return global.Contains(a) && !teredo.Contains(a)
}

// rules say who may be reached.
type rules struct {
	permit []netip.Prefix  // in spite of everything else
	public []netip.Addr    // of the relay
	ports  map[uint16]bool // where the relay listens
	own    own
}

// address reports whether a peer at this address may be reached at some port. At the relay's own addresses, those are
// the ports of its allocations.
func (r *rules) address(a netip.Addr) bool {
	a = a.Unmap()
	return slices.Contains(r.public, a) || r.permitted(a) || public(a) && !r.own.has(a)
}

// peer reports whether packets may leave for a peer. One that is an allocation of this relay is reached inside.
func (r *rules) peer(to netip.AddrPort) bool {
	a := to.Addr().Unmap()
	if to.Port() == 0 {
		return false
	}
	mine := slices.Contains(r.public, a) || r.own.has(a)
	if r.permitted(a) {
		return !mine || !r.ports[to.Port()]
	}
	return public(a) && !mine
}

func (r *rules) permitted(a netip.Addr) bool {
	return slices.ContainsFunc(r.permit, func(p netip.Prefix) bool { return p.Contains(a) })
}

// own is the addresses of this machine, which can change.
type own struct {
	known atomic.Pointer[ownAddresses]
}

type ownAddresses struct {
	all   map[netip.Addr]bool
	until time.Time
}

func (o *own) has(a netip.Addr) bool {
	const life = 10 * time.Second
	known := o.known.Load()
	if known == nil || time.Now().After(known.until) {
		known = &ownAddresses{all: interfaceAddresses(), until: time.Now().Add(life)}
		o.known.Store(known)
	}
	return known.all[a] || a.IsLoopback() || a.IsUnspecified()
}

func interfaceAddresses() map[netip.Addr]bool {
	all := map[netip.Addr]bool{}
	found, _ := net.InterfaceAddrs() // without, what is not part of the internet is closed all the same
	for _, a := range found {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all[p.Addr().Unmap()] = true
		}
	}
	return all
}
