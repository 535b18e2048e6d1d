package relay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func success(m *stun.Message) bool { return m != nil && m.Type.Class == stun.ClassSuccessResponse }

func TestLimitsOfAllocations(t *testing.T) {
	for _, c := range []struct {
		name    string
		config  Config
		robot   string // of the one too many
		reason  string
		another string // a robot that has room
	}{
		{"in all", Config{Limits: Limits{Total: 2}}, "other", refusedTotal, ""},
		{"of a robot", Config{Limits: Limits{PerRobot: 2}}, "rover", refusedRobot, "other"},
		{"of an address", Config{Limits: Limits{PerAddress: 2}}, "other", refusedAddress, ""},
		{"of ports", Config{Ports: PortRange{First: 40000, Last: 40001}}, "other", refusedPorts, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, c.config)
			var last *raw
			ask := func(robot string) *stun.Message {
				last = newRaw(t, r)
				last.hello()
				credentials := r.Credentials(robot, "page")
				return last.ask(last.build(stun.MethodAllocate, &credentials, overUDP), attempts)
			}
			var one, two *stun.Message
			if one, two = ask("rover"), ask("rover"); !success(one) || !success(two) {
				t.Skipf("a port is taken: %v, %v", one, two)
			}
			second := last
			if m := ask(c.robot); m == nil || m.Type.Class != stun.ClassErrorResponse {
				t.Errorf("got %v", m)
			}
			if refused(r, c.reason) == 0 {
				t.Error("it was not counted")
			}
			if c.another != "" && !success(ask(c.another)) {
				t.Error("another robot has no room")
			}
			credentials := r.Credentials("rover", "page")
			nothing := stun.RawAttribute{Type: stun.AttrLifetime, Value: []byte{0, 0, 0, 0}}
			if m := second.ask(second.build(stun.MethodRefresh, &credentials, nothing), attempts); !success(m) {
				t.Fatalf("an allocation cannot be given back: %v", m)
			}
			if m := ask(c.robot); !success(m) {
				t.Errorf("after one was given back: %v", m)
			}
		})
	}
}

func TestLimitsOfAnAllocation(t *testing.T) {
	r := start(t, Config{Limits: Limits{Permissions: 3, Channels: 2}})
	c := newRaw(t, r)
	c.hello()
	credentials := r.Credentials("rover", "page")
	if m := c.ask(c.build(stun.MethodAllocate, &credentials, overUDP), attempts); !success(m) {
		t.Fatalf("got %v", m)
	}
	permit := func(peer string) *stun.Message {
		return c.ask(c.build(stun.MethodCreatePermission, &credentials, peerSetter(peer)), attempts)
	}
	bind := func(number byte, peer string) *stun.Message {
		channel := stun.RawAttribute{Type: stun.AttrChannelNumber, Value: []byte{0x40, number, 0, 0}}
		return c.ask(c.build(stun.MethodChannelBind, &credentials, channel, peerSetter(peer)), attempts)
	}
	for _, peer := range []string{"203.0.113.1:1", "203.0.113.2:1", "203.0.113.3:1", "203.0.113.1:2"} {
		if m := permit(peer); !success(m) {
			t.Errorf("permission for %s: %v", peer, m)
		}
	}
	if m := permit("203.0.113.4:1"); code(m) != stun.CodeForbidden || refused(r, refusedPermissions) == 0 {
		t.Errorf("one permission too many: %v", m)
	}
	for number, peer := range []string{"203.0.113.1:1", "203.0.113.2:1", "203.0.113.1:1"} {
		if m := bind(byte(number%2), peer); !success(m) {
			t.Errorf("channel %d: %v", number%2, m)
		}
	}
	if m := bind(2, "203.0.113.3:1"); code(m) != stun.CodeInsufficientCapacity || refused(r, refusedChannels) == 0 {
		t.Errorf("one channel too many: %v", m)
	}
}

func TestRequestsOfAnAddressAreLimited(t *testing.T) {
	r := start(t, Config{Limits: Limits{Requests: 1}})
	c := newRaw(t, r)
	waitFor(t, "requests are refused", func() bool {
		_, _ = c.conn.WriteTo(c.build(stun.MethodBinding, nil), c.to)
		return refused(r, refusedRate) > 0
	})
}

func TestManyAddressesAreForgotten(t *testing.T) {
	g := start(t, Config{}).gate
	for i := range 20000 {
		if !g.allow(netip.AddrFrom4([4]byte{8, 8, byte(i >> 8), byte(i)})) {
			t.Fatal("the first request is refused")
		}
	}
	if len(g.rates) > addresses {
		t.Errorf("%d addresses are remembered", len(g.rates))
	}
	if a, b := site(netip.MustParseAddr("2001:db8::1")), site(netip.MustParseAddr("2001:db8::2")); a != b {
		t.Error("the addresses of a /64 count by themselves")
	}
}

func TestReplaysAreForgotten(t *testing.T) {
	g := start(t, Config{}).gate
	for i := range 70000 {
		g.remember(transaction{byte(i >> 16), byte(i >> 8), byte(i)}, netip.AddrPort{})
	}
	if len(g.replays.seen) != 1<<16 || len(g.replays.order) != 1<<16 {
		t.Errorf("%d, %d requests are remembered", len(g.replays.seen), len(g.replays.order))
	}
}

func TestBandwidthIsLimited(t *testing.T) {
	r := start(t, Config{Permit: machine, Limits: Limits{Bandwidth: 1000}})
	_, relayed := allocate(t, r, byUDP, "", r.Credentials("rover", "page"))
	peer := echo(t, "127.0.0.1:0")
	waitFor(t, "packets are lost", func() bool {
		_, _ = relayed.WriteTo(make([]byte, 60000), peer)
		_, _ = relayed.WriteTo(make([]byte, 1400), peer)
		return lost(r, lostBandwidth) > 0
	})
}

func TestConnectionsOfAnAddressAreLimited(t *testing.T) {
	r := start(t, Config{Limits: Limits{Connections: 2}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Serve(l); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	waitFor(t, "one is refused", func() bool { return refused(r, refusedConnections) == 1 })
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for name, c := range map[string]Config{
		"no public address":   {},
		"an unspecified one":  {Public: []netip.Addr{netip.IPv4Unspecified()}},
		"multicast":           {Public: []netip.Addr{netip.MustParseAddr("224.0.0.1")}},
		"with a zone":         {Public: []netip.Addr{netip.MustParseAddr("fe80::1%lo")}},
		"two of one family":   {Public: []netip.Addr{here, netip.MustParseAddr("127.0.0.2")}},
		"ports backwards":     {Public: []netip.Addr{here}, Ports: PortRange{First: 5, Last: 4}},
		"port 0":              {Public: []netip.Addr{here}, Ports: PortRange{Last: 4}},
		"a negative life":     {Public: []netip.Addr{here}, Life: -time.Second},
		"a negative limit":    {Public: []netip.Addr{here}, Limits: Limits{PerRobot: -1}},
		"UDP without a port":  {Public: []netip.Addr{here}, UDP: []string{"127.0.0.1"}},
		"UDP with a name":     {Public: []netip.Addr{here}, UDP: []string{"localhost:3478"}},
		"UDP with port 70000": {Public: []netip.Addr{here}, UDP: []string{":70000"}},
	} {
		if r, err := New(c); err == nil {
			r.Close()
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	r := start(t, Config{Permit: machine, Metrics: registry})
	_, relayed := allocate(t, r, byUDP, "", r.Credentials("rover", "page"))
	exchange(t, relayed, echo(t, "127.0.0.1:0"), make([]byte, 100))
	if n := testutil.ToFloat64(r.metrics.allocations.WithLabelValues("udp")); n != 1 {
		t.Errorf("%v allocations", n)
	}
	for _, to := range []string{"peer", "client"} {
		waitFor(t, "bytes are counted when they are sent", func() bool {
			return testutil.ToFloat64(r.metrics.bytes.WithLabelValues(to)) >= 100
		})
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	if _, err := New(Config{Public: []netip.Addr{here}, UDP: []string{"127.0.0.1:0"}, Metrics: registry}); err == nil {
		t.Error("two relays have the same metrics")
	}
}
