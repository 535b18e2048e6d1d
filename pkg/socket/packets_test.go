package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func listen(t *testing.T, address string) *Packets {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Skipf("%s: %v", address, err)
	}
	p, err := NewPackets(c.(*net.UDPConn), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// to returns the address of a socket, as seen from the same machine.
func to(p *Packets) netip.AddrPort {
	a := p.LocalAddr().(*net.UDPAddr).AddrPort()
	if a.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.Port())
	}
	return a
}

// next returns the next packet.
func (p *Packets) next(t *testing.T) ([]byte, netip.AddrPort) {
	t.Helper()
	if err := p.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2000)
	n, from, err := p.ReadFromAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n], from
}

func TestPacketsBetweenKindsOfSockets(t *testing.T) {
	for _, addresses := range [][2]string{
		{"127.0.0.1:0", "127.0.0.1:0"}, {"[::1]:0", "[::1]:0"}, {":0", "127.0.0.1:0"}, {"127.0.0.1:0", ":0"}, {":0", ":0"},
	} {
		t.Run(fmt.Sprint(addresses), func(t *testing.T) {
			a, b := listen(t, addresses[0]), listen(t, addresses[1])
			if _, err := a.WriteToAddrPort([]byte("ping"), to(b)); err != nil {
				t.Fatal(err)
			}
			got, from := b.next(t)
			if string(got) != "ping" || from.Port() != to(a).Port() || !from.Addr().IsLoopback() && !from.Addr().Is4In6() {
				t.Fatalf("got %q from %s", got, from)
			}
			if _, err := b.WriteToAddrPort(nil, from); err != nil {
				t.Fatal(err)
			}
			if got, _ := a.next(t); len(got) != 0 {
				t.Errorf("got %q, want an empty packet", got)
			}
		})
	}
}

func TestPacketsThatCannotBeSent(t *testing.T) {
	p := listen(t, "127.0.0.1:0")
	for name, address := range map[string]netip.AddrPort{
		"no address": {}, "IPv6 from a socket of IPv4": netip.MustParseAddrPort("[::1]:9"),
		"port 0": netip.MustParseAddrPort("127.0.0.1:0"),
	} {
		if _, err := p.WriteToAddrPort([]byte("x"), address); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := p.WriteToAddrPort(make([]byte, 1<<16), to(p)); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("too long: %v", err)
	}
	if err := p.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.ReadFromAddrPort(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.ReadFromAddrPort(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if _, err := p.WriteToAddrPort([]byte("x"), to(p)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
}

// packet makes a packet of RTP.
func packet(ssrc uint32, seq uint16, size int) []byte {
	b := bytes.Repeat([]byte{byte(seq)}, size)
	b[0], b[1] = 0x80, 96
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b
}

func TestTogetherSendsTheSamePackets(t *testing.T) {
	many := make([]int, 150) // small, so that the receiver has room for them
	for i := range many {
		many[i] = 100
	}
	for name, sizes := range map[string][]int{
		"none": nil, "one": {1200}, "picture": {1212, 1200, 1200, 1200, 300}, "growing": {12, 13, 14},
		"smaller between": {900, 900, 100, 900}, "more than the system takes at once": many, "shrinking": {1000, 999, 998},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
			go a.Together(7, func() {
				for i, size := range sizes {
					if n, err := a.WriteToAddrPort(packet(7, uint16(i), size), to(b)); n != size || err != nil {
						t.Errorf("packet %d: %d bytes, %v", i, n, err)
					}
				}
			})
			for i, size := range sizes {
				if got, _ := b.next(t); !bytes.Equal(got, packet(7, uint16(i), size)) {
					t.Fatalf("packet %d of %d bytes arrived as %d bytes, number %d", i, size, len(got), got[3])
				}
			}
		})
	}
}

// Everything else goes its way while packets are held back.
func TestTogetherHoldsNothingElseBack(t *testing.T) {
	a, b := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	a.Together(7, func() {
		_, _ = a.WriteToAddrPort(packet(7, 1, 100), to(b))
		for _, other := range [][]byte{packet(8, 2, 100), []byte("short"), bytes.Repeat([]byte{0}, 100)} {
			_, _ = a.WriteToAddrPort(other, to(b))
			if got, _ := b.next(t); !bytes.Equal(got, other) {
				t.Fatalf("got % x, want % x", got, other)
			}
		}
		a.Together(7, func() { // of another connection
			_, _ = a.WriteToAddrPort(packet(7, 3, 100), to(a))
		})
	})
	if got, _ := b.next(t); got[3] != 1 {
		t.Errorf("got packet %d", got[3])
	}
	if got, _ := a.next(t); got[3] != 3 {
		t.Errorf("the other peer got packet %d", got[3])
	}
	if len(a.flows) != 0 {
		t.Errorf("%d flows are left", len(a.flows))
	}
}

func checkNoSums(t *testing.T, raw syscall.RawConn) {
	t.Helper()
	if err := raw.Control(func(fd uintptr) {
		if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// A way that cannot cut packets, here one without checksums, gets them one by one.
func TestTogetherWhereNothingIsCut(t *testing.T) {
	a, b := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	checkNoSums(t, a.descriptor.raw)
	a.Together(7, func() {
		for i := range uint16(5) {
			_, _ = a.WriteToAddrPort(packet(7, i, 1000), to(b))
		}
	})
	for i := range uint16(5) {
		if got, _ := b.next(t); !bytes.Equal(got, packet(7, i, 1000)) {
			t.Fatalf("packet %d arrived as %d bytes, number %d", i, len(got), got[3])
		}
	}
}

// BenchmarkPicture compares the ways to send a picture of ten packets.
func BenchmarkPicture(b *testing.B) {
	for _, call := range []Call{Segments, Messages, Single} {
		b.Run(string(call), func(b *testing.B) {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			p, err := NewPackets(c.(*net.UDPConn), Options{Batching: On})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = p.Close() }()
			p.out.cuts = call == Segments
			p.out.many.Store(call == Messages)
			data := packet(7, 0, 1200)
			b.ReportAllocs()
			for b.Loop() {
				p.Together(7, func() {
					for range 10 {
						_, _ = p.WriteToAddrPort(data, to(p))
					}
				})
			}
		})
	}
}
