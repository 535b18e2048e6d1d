package outside

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/pion/stun/v4"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// maxAsked is how many addresses of servers are asked; a second one is for when the first is away.
const maxAsked = 4

// askAll asks the servers for the addresses of the port. Blocked tells that there are servers and none has answered.
func (o *Outside) askAll(ctx context.Context,
	servers []*signalingv1.IceServer) (mapped []netip.AddrPort, blocked bool) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	targets, some := resolve(ctx, parse(servers))
	var (
		mu    sync.Mutex
		asked sync.WaitGroup
	)
	for _, target := range targets {
		asked.Go(func() {
			address, err := o.config.Port.Ask(ctx, target, askTimeout)
			if err != nil {
				o.log.Debug("a STUN server did not answer", "server", target, "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Contains(mapped, address) {
				mapped = append(mapped, address)
			}
		})
	}
	asked.Wait()
	slices.SortFunc(mapped, netip.AddrPort.Compare)
	return mapped, some && len(mapped) == 0
}

// server is one address of a STUN or TURN server.
type server struct {
	*stun.URI
	username, credential string
}

// parse returns the servers' addresses. One that cannot be read is left out: the configuration was checked, and what a
// rendezvous server says must not stop the others.
func parse(servers []*signalingv1.IceServer) (list []server) {
	for _, s := range servers {
		for _, text := range s.GetUrls() {
			if u, err := stun.ParseURI(text); err == nil {
				list = append(list, server{u, s.GetUsername(), s.GetCredential()})
			}
		}
	}
	return list
}

// overUDP reports whether a server is reached over plain UDP; then it answers STUN as well.
func (s server) overUDP() bool {
	plain := s.Scheme == stun.SchemeTypeSTUN || s.Scheme == stun.SchemeTypeTURN
	return plain && s.Proto == stun.ProtoTypeUDP
}

// resolve returns the addresses to ask, one of each family for each server; some tells whether there is any server.
func resolve(ctx context.Context, servers []server) (targets []netip.AddrPort, some bool) {
	for _, s := range servers {
		some = some || s.overUDP() || s.relays()
		if !s.overUDP() {
			continue
		}
		found, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", s.Host) // no address: not asked
		var families [2]bool
		for _, ip := range found {
			family, target := 0, netip.AddrPortFrom(ip.Unmap(), uint16(s.Port))
			if target.Addr().Is6() {
				family = 1
			}
			if !families[family] && !slices.Contains(targets, target) && len(targets) < maxAsked {
				families[family] = true
				targets = append(targets, target)
			}
		}
	}
	return targets, some
}
