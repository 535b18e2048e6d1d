package relay

import (
	"net"
	"net/netip"
	"strings"
)

// room reports whether there is room for another allocation.
func (r *Relay) room(identity string, from net.Addr) bool {
	robot, _, _ := strings.Cut(identity, ":")
	at, _ := addrPort(from)
	r.mu.RLock()
	total, ofRobot, ofSite := len(r.relayed), r.robots[robot], r.sites[site(at.Addr())]
	r.mu.RUnlock()
	switch l := r.config.Limits; {
	case total >= l.Total:
		r.metrics.refuse(refusedTotal)
	case ofRobot >= l.PerRobot:
		r.metrics.refuse(refusedRobot)
	case ofSite >= l.PerAddress:
		r.metrics.refuse(refusedAddress)
	default:
		return true
	}
	return false
}

// count counts an allocation of a client that begins, or with -1 ends.
func (r *Relay) count(client netip.AddrPort, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add(r.sites, site(client.Addr()), n)
}

// remove forgets an allocation.
func (r *Relay) remove(a *allocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.relayed, a.relayed)
	delete(r.locals, a.local)
	add(r.robots, a.robot, -1)
}

func add[K comparable](counts map[K]int, key K, n int) {
	if counts[key] += n; counts[key] == 0 {
		delete(counts, key)
	}
}
