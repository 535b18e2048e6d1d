package internet

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

// Host is a machine. Its methods are for one goroutine, except [Host.Do] and [Host.Command].
type Host struct {
	namespace namespace
	address   netip.Addr
	leave     func(testing.TB) // the network that it is in; nil: none
	joined    int              // times
}

// Address is the host's own address: of the private network of its router, or outside if it has none.
func (h *Host) Address() netip.Addr { return h.address }

// Join connects the host to the network of a router, with an address of its own and a route to everywhere. A host
// leaves the network in which it was before: its device goes away, and nobody is told.
func (h *Host) Join(tb testing.TB, r *Router) {
	tb.Helper()
	h.Leave(tb)
	r.hosts++
	h.joined++
	device, port := fmt.Sprintf("eth%d", h.joined), fmt.Sprintf("host%d", r.hosts)
	h.address = netip.MustParseAddr(r.private + firstHost)
	for range r.hosts - 1 {
		h.address = h.address.Next()
	}
	r.namespace.ip(tb, fmt.Sprintf("link add %s type veth peer name %s netns %s", port, device, h.namespace.path()),
		fmt.Sprintf("link set %s master lan up", port))
	h.namespace.ip(tb, fmt.Sprintf("address add %s/24 dev %s", h.address, device), "link set "+device+" up",
		"route replace default via "+r.gateway())
	h.namespace.await(tb, netip.MustParseAddr(r.gateway()))
	h.leave = func(tb testing.TB) {
		tb.Helper()
		h.namespace.ip(tb, "link delete "+device)
	}
}

// JoinBackbone connects the host to the backbone, with an address of its own there, as Join does.
func (h *Host) JoinBackbone(tb testing.TB, n *Internet) {
	tb.Helper()
	h.join(tb, n, delayed(tb, n.config.Delay))
}

// JoinOver connects the host of somebody who drives or watches to the backbone over a rough link, with an address of
// its own there, as Join does. The link ends when the host leaves.
func (h *Host) JoinOver(tb testing.TB, n *Internet, p linktest.Profile, seed uint64) *linktest.Link {
	tb.Helper()
	urgent(tb)
	link := rough(tb, p, seed)
	h.join(tb, n, link)
	return link
}

func (h *Host) join(tb testing.TB, n *Internet, over *linktest.Link) {
	tb.Helper()
	h.Leave(tb)
	h.joined++
	address, cable := n.attach(tb, h.namespace, fmt.Sprintf("eth%d", h.joined), over)
	h.address = address
	h.leave = func(testing.TB) { cable.Close() }
}

// Leave disconnects the host.
func (h *Host) Leave(tb testing.TB) {
	tb.Helper()
	if h.leave != nil {
		h.leave(tb)
		h.leave, h.address = nil, netip.Addr{}
	}
}

// Do runs f on the host. Sockets and files that f opens stay there.
func (h *Host) Do(f func() error) error { return h.namespace.do(f) }

// Command is the command that runs a program, with its arguments, on the host.
func (h *Host) Command(program string, args ...string) (string, []string) {
	return h.namespace.command(program, args...)
}
