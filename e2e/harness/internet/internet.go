package internet

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

// The addresses are from the networks that RFC 5737 reserves for documentation.
var (
	// ServerAddress is the address of the host on which servers run.
	ServerAddress = netip.MustParseAddr("198.51.100.1")
	// sites are the addresses of routers, and of hosts without one, in the order in which they join.
	sites = netip.MustParsePrefix("203.0.113.0/24")
)

// Config adjusts an internet; the zero value works.
type Config struct {
	// Delay of each link to the backbone, each way, except that of the server, which takes none.
	Delay time.Duration
}

// Internet is a backbone. It exists until the end of the test.
type Internet struct {
	config   Config
	backbone namespace
	last     netip.Addr // the address that was given out last
	devices  int
	routers  int
}

// Start makes an internet. It needs root, iproute2, nftables and TUN devices; without root it skips the test, loudly.
func Start(tb testing.TB, c Config) *Internet {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("NOT RUN: network namespaces need root. What NATs and firewalls let through is not tested")
	}
	n := &Internet{config: c, backbone: newNamespace(tb), last: sites.Addr()}
	n.backbone.set(tb, "net/ipv4/ip_forward", "1")
	// Not an address of lo: some servers leave that out.
	n.backbone.ip(tb, "link add public type bridge", fmt.Sprintf("address add %s dev public", ServerAddress),
		"link set public up")
	return n
}

// Server is the host on which servers run, at [ServerAddress]: the backbone itself.
func (n *Internet) Server() *Host { return &Host{namespace: n.backbone, address: ServerAddress} }

// Host makes a machine. It is not connected yet.
func (*Internet) Host(tb testing.TB) *Host {
	tb.Helper()
	return &Host{namespace: newNamespace(tb)}
}

// attach links a namespace to the backbone, where it gets a device and an address of its own.
func (n *Internet) attach(tb testing.TB, to namespace, device string, over *linktest.Link) (netip.Addr, *cable) {
	tb.Helper()
	n.last, n.devices = n.last.Next(), n.devices+1
	if !sites.Contains(n.last) {
		tb.Fatal("no address is left")
	}
	far := fmt.Sprintf("site%d", n.devices)
	l := startCable(tb, over, end{n.backbone, far}, end{to, device})
	n.backbone.ip(tb, "link set "+far+" up", fmt.Sprintf("route add %s dev %s", n.last, far))
	to.ip(tb, fmt.Sprintf("address add %s dev %s", n.last, device), "link set "+device+" up",
		"route replace default dev "+device)
	to.await(tb, ServerAddress)
	return n.last, l
}
