package relay

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/turn/v5"
)

// exchange sends a packet until it comes back, since packets can be lost.
func exchange(t *testing.T, c net.PacketConn, to net.Addr, packet []byte) {
	t.Helper()
	b := make([]byte, 65536)
	for range 100 {
		if _, err := c.WriteTo(packet, to); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, from, err := c.ReadFrom(b)
		if err != nil {
			continue
		}
		if bytes.Equal(b[:n], packet) && from.String() == to.String() {
			return
		}
	}
	t.Fatal("the packet does not come back")
}

func TestRelaying(t *testing.T) {
	r := start(t, Config{Permit: machine})
	port := onePort(t, r)
	for _, w := range ways {
		t.Run(string(w), func(t *testing.T) {
			peer := echo(t, "127.0.0.1:0")
			_, relayed := allocate(t, r, w, port, r.Credentials("rover", "page"))
			for size := range 40 { // without a channel at first, with every padding
				exchange(t, relayed, peer, bytes.Repeat([]byte{byte(size)}, 1+size))
			}
			exchange(t, relayed, peer, make([]byte, 1400))
		})
	}
}

// Both sides may be where only the relay can be reached: then its allocations are each other's peers.
func TestFromAllocationToAllocation(t *testing.T) {
	r := start(t, Config{}) // nothing is permitted
	port := onePort(t, r)
	for _, a := range ways {
		for _, b := range ways {
			t.Run(fmt.Sprint(a, b), func(t *testing.T) {
				_, one := allocate(t, r, a, port, r.Credentials("rover", "robot"))
				_, other := allocate(t, r, b, port, r.Credentials("rover", "page"))
				done := make(chan struct{})
				defer func() { other.Close(); <-done }()
				if _, err := other.WriteTo([]byte("hello"), one.LocalAddr()); err != nil { // it permits the other
					t.Fatal(err)
				}
				go func() {
					defer close(done)
					b := make([]byte, 2000)
					for {
						n, from, err := other.ReadFrom(b)
						if err != nil {
							return
						}
						_, _ = other.WriteTo(b[:n], from)
					}
				}()
				exchange(t, one, other.LocalAddr(), []byte("across"))
			})
		}
	}
}

// A server in a cloud often has an address that only its router knows.
func TestPublicAddressOfARouter(t *testing.T) {
	r := start(t, Config{Public: []netip.Addr{netip.MustParseAddr("203.0.113.77")}})
	_, one := allocate(t, r, byUDP, "", r.Credentials("rover", "robot"))
	_, other := allocate(t, r, byUDP, "", r.Credentials("rover", "page"))
	if a := one.LocalAddr().(*net.UDPAddr); a.IP.String() != "203.0.113.77" {
		t.Fatalf("the allocation is at %s", a)
	}
	done := make(chan struct{})
	defer func() { other.Close(); <-done }()
	if _, err := other.WriteTo([]byte("hello"), one.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		b := make([]byte, 2000)
		for {
			n, from, err := other.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = other.WriteTo(b[:n], from)
		}
	}()
	exchange(t, one, other.LocalAddr(), []byte("across"))
}

func TestIPv6(t *testing.T) {
	if c, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
		t.Skip(err)
	} else {
		c.Close()
	}
	loopback := netip.IPv6Loopback()
	r := start(t,
		Config{Public: []netip.Addr{loopback}, UDP: []string{":0"}, Permit: []netip.Prefix{netip.PrefixFrom(loopback, 128)}})
	conn, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := r.Credentials("rover", "page")
	client, err := turn.NewClient(&turn.ClientConfig{TURNServerAddr: r.UDP()[0].String(), Conn: conn, Username: c.Username,
		Password: c.Password, LoggerFactory: quiet, RequestedAddressFamily: turn.RequestedAddressFamilyIPv6})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	relayed, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relayed.Close()
	exchange(t, relayed, echo(t, "[::1]:0"), []byte("hello"))
}

func TestCloseEndsEverything(t *testing.T) {
	r := start(t, Config{Permit: machine})
	port := onePort(t, r)
	for _, w := range ways {
		_, relayed := allocate(t, r, w, port, r.Credentials("rover", "page"))
		exchange(t, relayed, echo(t, "127.0.0.1:0"), []byte("hello"))
	}
	idle, err := net.Dial("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if len(r.relayed) != 0 || len(r.robots) != 0 || len(r.sites) != 0 {
		t.Errorf("left: %v %v %v", r.relayed, r.robots, r.sites)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed relay serves: %v", err)
	}
}
