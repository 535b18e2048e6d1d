package relay

import (
	"net"
	"net/netip"
	"testing"

	"github.com/pion/stun/v4"
)

func TestPublicAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "203.0.113.5": true, "2606:4700::1111": true, "2001:db8::1": true,
		"::ffff:8.8.8.8": true, "64:ff9b::8.8.8.8": true, "2002:808:808::1": true,

		"0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "100.127.255.255": false,
		"127.0.0.1": false, "127.255.0.1": false, "169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.0.0.8": false, "192.168.1.1": false, "198.18.0.1": false, "224.0.0.1": false, "239.1.1.1": false,
		"240.0.0.1": false, "255.255.255.255": false,

		"::": false, "::1": false, "::127.0.0.1": false, "::8.8.8.8": false, "fc00::1": false, "fd12::1": false,
		"fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false, "100::1": false, "4000::1": false,
		"2001::1": false, "64:ff9b:1::a00:1": false,

		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::192.168.1.1": false, "64:ff9b::169.254.169.254": false,
		"2002:7f00:1::1": false, "2002:a00:1::1": false, "2002:c0a8:101::": false, "2002:6440:1::": false,
		"172.15.255.255": true, "172.32.0.1": true, "100.63.255.255": true, "100.128.0.1": true, "11.0.0.1": true,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %v", address, got)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func FuzzPublicAddresses(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add(netip.MustParseAddr("64:ff9b::127.0.0.1").AsSlice())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok || !public(a) {
			return
		}
		if a = a.Unmap(); a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
			t.Errorf("%s is public", a)
		}
	})
}

func TestRules(t *testing.T) {
	relay, lan := netip.MustParseAddr("198.51.100.1"), netip.MustParsePrefix("192.168.1.0/24")
	closed := &rules{public: []netip.Addr{relay}, ports: map[uint16]bool{3478: true}}
	open := &rules{public: closed.public, ports: closed.ports, permit: []netip.Prefix{lan, netip.PrefixFrom(relay, 32)}}
	for _, c := range []struct {
		name          string
		rules         *rules
		peer          string
		address, sent bool
	}{
		{"the internet", closed, "8.8.8.8:1000", true, true},
		{"no port", closed, "8.8.8.8:0", true, false},
		{"the relay", closed, "198.51.100.1:50000", true, false}, // its allocations are reached inside
		{"a private network", closed, "192.168.1.5:1000", false, false},
		{"a private network, mapped", closed, "[::ffff:192.168.1.5]:1000", false, false},
		{"a permitted network", open, "192.168.1.5:1000", true, true},
		{"a network beside it", open, "192.168.2.5:1000", false, false},
		{"the relay, permitted", open, "198.51.100.1:50000", true, true},
		{"the relay's own server", open, "198.51.100.1:3478", true, false},
	} {
		peer := netip.MustParseAddrPort(c.peer)
		if got := c.rules.address(peer.Addr()); got != c.address {
			t.Errorf("%s: permission is %v", c.name, got)
		}
		if got := c.rules.peer(peer); got != c.sent {
			t.Errorf("%s: sending is %v", c.name, got)
		}
	}
}

func TestThisMachineIsClosed(t *testing.T) {
	r := &rules{}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip := netip.MustParsePrefix(a.String()).Addr(); r.address(ip) {
			t.Errorf("%s may be reached", ip)
		}
	}
	if !r.own.has(here) {
		t.Error("loopback is not of this machine")
	}
}

// peerSetter names a peer in a request.
func peerSetter(address string) stun.Setter { return peerAddress(netip.MustParseAddrPort(address)) }

// Nobody gets permission for what is closed, and what is sent without permission goes nowhere.
func TestClosedPeersAreNotReached(t *testing.T) {
	r := start(t, Config{})
	c := newRaw(t, r)
	c.hello()
	credentials := r.Credentials("rover", "page")
	if m := c.ask(c.build(stun.MethodAllocate, &credentials, overUDP), attempts); m == nil ||
		m.Type.Class != stun.ClassSuccessResponse {
		t.Fatalf("got %v", m)
	}
	for _, peer := range []string{"127.0.0.2:80", "10.0.0.1:80", "169.254.169.254:80", "100.64.1.1:80", "224.0.0.1:80",
		"0.0.0.0:80"} {
		if m := c.ask(c.build(stun.MethodCreatePermission, &credentials, peerSetter(peer)),
			attempts); code(m) != stun.CodeForbidden {
			t.Errorf("permission for %s: got %v", peer, m)
		}
		number := stun.RawAttribute{Type: stun.AttrChannelNumber, Value: []byte{0x40, 0, 0, 0}}
		if m := c.ask(c.build(stun.MethodChannelBind, &credentials, number, peerSetter(peer)), attempts); m == nil ||
			m.Type.Class != stun.ClassErrorResponse {
			t.Errorf("a channel to %s: got %v", peer, m)
		}
	}
	if refused(r, refusedPeer) < 12 {
		t.Errorf("%v were refused", refused(r, refusedPeer))
	}
	// The relay's own address has permission, for its allocations; its other ports do not get anything.
	other := echo(t, "127.0.0.1:0").String()
	if m := c.ask(c.build(stun.MethodCreatePermission, &credentials, peerSetter(other)), attempts); m == nil ||
		m.Type.Class != stun.ClassSuccessResponse {
		t.Fatalf("got %v", m)
	}
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), peerSetter(other),
		stun.RawAttribute{Type: stun.AttrData, Value: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the packet is lost", func() bool {
		_, _ = c.conn.WriteTo(m.Raw, c.to)
		return lost(r, lostPeer) > 0
	})
}
