package internet_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// listen opens a port of UDP on a host.
func listen(t *testing.T, h *internet.Host, address string) net.PacketConn {
	t.Helper()
	var conn net.PacketConn
	err := h.Do(func() (err error) {
		conn, err = net.ListenPacket("udp4", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// outside sends a packet to a port, and returns the address that it came from.
func outside(t *testing.T, from net.PacketConn, to net.PacketConn, at netip.AddrPort) netip.AddrPort {
	t.Helper()
	if _, err := from.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(at)); err != nil {
		t.Fatal(err)
	}
	_ = to.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, source, err := to.ReadFrom(make([]byte, 100))
	if err != nil {
		t.Fatalf("from %v to %v: %v", from.LocalAddr(), at, err)
	}
	return source.(*net.UDPAddr).AddrPort()
}

func TestLink(t *testing.T) {
	n := internet.Start(t, internet.Config{Delay: 20 * time.Millisecond})
	h := n.Host(t)
	h.JoinBackbone(t, n)
	here, there := listen(t, h, ":0"), listen(t, n.Server(), internet.ServerAddress.String()+":3478")
	began := time.Now()
	seen := outside(t, here, there, netip.AddrPortFrom(internet.ServerAddress, 3478))
	if took := time.Since(began); took < 20*time.Millisecond {
		t.Errorf("a packet took %v", took)
	}
	if seen.Addr() != h.Address() {
		t.Errorf("it came from %v", seen)
	}
	outside(t, there, here, seen)
	t.Logf("a round trip took %v", time.Since(began))
}

// ports are two ports of UDP on the server.
func ports(t *testing.T, n *internet.Internet) (conns [2]net.PacketConn, at [2]netip.AddrPort) {
	t.Helper()
	for i := range conns {
		at[i] = netip.AddrPortFrom(internet.ServerAddress, uint16(3478+i))
		conns[i] = listen(t, n.Server(), at[i].String())
	}
	return conns, at
}

func TestMappingAndFiltering(t *testing.T) {
	for _, tt := range []struct {
		nat internet.NAT
		// The same port outside for every destination; and for strangers.
		sameMapping, openToAll bool
		keepsPort              bool // when its mappings are lost
	}{
		{internet.FullCone, true, true, true},
		{internet.PortRestricted, true, false, false},
		{internet.Symmetric, false, false, false},
	} {
		t.Run(string(tt.nat), func(t *testing.T) {
			n := internet.Start(t, internet.Config{})
			router, host := n.Router(t, tt.nat), n.Host(t)
			host.Join(t, router)
			servers, at := ports(t, n)
			inside := listen(t, host, ":0")
			first := outside(t, inside, servers[0], at[0])
			if first.Addr() != router.Address() {
				t.Errorf("it came from %v", first)
			}
			// A stranger sends first. Packets keep their order, so whose packet arrives first tells what is let in.
			stranger := listen(t, n.Server(), ":0")
			_, _ = stranger.WriteTo([]byte("stranger"), net.UDPAddrFromAddrPort(first))
			from := outside(t, servers[0], inside, first)
			if let := from != at[0]; let != tt.openToAll {
				t.Errorf("the first packet is from %v", from)
			}
			second := outside(t, inside, servers[1], at[1])
			if same := first == second; same != tt.sameMapping {
				t.Errorf("the addresses outside are %v and %v", first, second)
			}
			router.Rebind(t)
			again := outside(t, inside, servers[0], at[0])
			if keeps := again == first; keeps != tt.keepsPort {
				t.Errorf("after the mappings were lost, the address outside is %v, and before %v", again, first)
			}
		})
	}
}

func TestBlocked(t *testing.T) {
	for _, tt := range []struct {
		nat    internet.NAT
		others bool // other ports of TCP
	}{
		{internet.UDPBlocked, true},
		{internet.Only443, false},
	} {
		t.Run(string(tt.nat), func(t *testing.T) {
			n := internet.Start(t, internet.Config{})
			host, witness := n.Host(t), n.Host(t)
			host.Join(t, n.Router(t, tt.nat))
			witness.JoinBackbone(t, n)
			servers, at := ports(t, n)
			_, _ = listen(t, host, ":0").WriteTo([]byte("blocked"), net.UDPAddrFromAddrPort(at[0]))
			for port, open := range map[string]bool{"443": true, "80": tt.others} {
				if got := connects(t, n.Server(), host, net.JoinHostPort(internet.ServerAddress.String(), port)); got != open {
					t.Errorf("TCP port %s is open: %v", port, got)
				}
			}
			// The blocked packet was first.
			if seen := outside(t, listen(t, witness, ":0"), servers[0], at[0]); seen.Addr() != witness.Address() {
				t.Errorf("a packet came from %v", seen)
			}
		})
	}
}

// connects reports whether a host can connect to a port of a server.
func connects(t *testing.T, server, host *internet.Host, address string) bool {
	t.Helper()
	var listener net.Listener
	err := server.Do(func() (err error) {
		listener, err = net.Listen("tcp4", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return host.Do(func() error {
		conn, err := net.DialTimeout("tcp4", address, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}) == nil
}

// TestMoves has a host leave a network for another, with a socket that is bound to no address.
func TestMoves(t *testing.T) {
	n := internet.Start(t, internet.Config{})
	servers, at := ports(t, n)
	home, phone, host := n.Router(t, internet.PortRestricted), n.Router(t, internet.Symmetric), n.Host(t)
	host.Join(t, home)
	inside := listen(t, host, ":0")
	if seen := outside(t, inside, servers[0], at[0]); seen.Addr() != home.Address() {
		t.Errorf("at home it is seen as %v", seen)
	}
	host.Join(t, phone)
	if seen := outside(t, inside, servers[0], at[0]); seen.Addr() != phone.Address() {
		t.Errorf("with the phone's network it is seen as %v", seen)
	}
	host.JoinBackbone(t, n)
	if seen := outside(t, inside, servers[0], at[0]); seen.Addr() != host.Address() {
		t.Errorf("without a router it is seen as %v", seen)
	}
}

// TestCommand runs a program on a host.
func TestCommand(t *testing.T) {
	n := internet.Start(t, internet.Config{})
	host := n.Host(t)
	host.Join(t, n.Router(t, internet.Symmetric))
	program, args := host.Command("ip", "-br", "address")
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), host.Address().String()) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestThreadsStay goes into a namespace and comes back on the same threads, which go on: with a thread would end a
// browser that was started by it.
func TestThreadsStay(t *testing.T) {
	h := internet.Start(t, internet.Config{}).Server()
	var inside []int
	for range 50 {
		if err := h.Do(func() error { inside = append(inside, unix.Gettid()); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, thread := range inside {
		if err := unix.Tgkill(os.Getpid(), thread, 0); err != nil {
			t.Fatalf("a thread has ended: %v", err)
		}
	}
}
