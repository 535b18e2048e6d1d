package socket

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func listenBursts(t testing.TB, address string) *Bursts {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Skipf("%s: %v", address, err)
	}
	b, err := NewBursts(c.(*net.UDPConn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// local returns the address of a socket, as seen from the same machine.
func local(c net.PacketConn) netip.AddrPort {
	a := c.LocalAddr().(*net.UDPAddr).AddrPort()
	if a.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.Port())
	}
	return a
}

// take returns the next n packets, and in how many pieces they came.
func take(t *testing.T, b *Bursts, n int) (packets [][]byte, pieces int) {
	t.Helper()
	if err := b.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for len(packets) < n {
		err := b.Receive(func(data []byte, size int, from netip.AddrPort) {
			if !from.Addr().IsLoopback() {
				t.Errorf("a packet from %s", from)
			}
			pieces++
			if len(data) == 0 {
				packets = append(packets, nil)
			}
			for packet := range slices.Chunk(data, size) {
				packets = append(packets, bytes.Clone(packet))
			}
		}, once)
		if err != nil {
			t.Fatal(err)
		}
	}
	return packets, pieces
}

func once() bool   { return false }
func always() bool { return true }

// sized returns packets of these sizes, each with contents of its own.
func sized(sizes ...int) [][]byte {
	var all [][]byte
	for i, size := range sizes {
		all = append(all, bytes.Repeat([]byte{byte(i + 1)}, size))
	}
	return all
}

func sendAll(t *testing.T, b *Bursts, to netip.AddrPort, packets [][]byte) (calls int) {
	t.Helper()
	var run Run
	send := func() {
		calls++
		if err := b.Send(&run, to); err != nil {
			t.Fatal(err)
		}
		run.Reset()
	}
	for _, packet := range packets {
		half := len(packet) / 2
		if !run.Add(packet[:half], packet[half:]) {
			send()
			if !run.Add(packet[:half], packet[half:]) {
				t.Fatalf("an empty run does not take %d bytes", len(packet))
			}
		}
	}
	send()
	return calls
}

func TestBursts(t *testing.T) {
	many := slices.Repeat([]int{1200}, 150)
	for _, c := range []struct {
		name  string
		sizes []int
		calls int
	}{
		{"one", []int{100}, 1},
		{"empty", []int{0}, 1},
		{"of one size", []int{1200, 1200, 1200}, 1},
		{"the last is shorter", []int{1200, 1200, 30}, 1},
		{"a shorter one ends a run", []int{1200, 30, 30, 30}, 2},
		{"a longer one begins another", []int{30, 1200}, 2},
		{"empty ones between", []int{100, 0, 100, 0}, 4},
		{"more than fit together", many, 3},
	} {
		for _, addresses := range [][2]string{{"127.0.0.1:0", "127.0.0.1:0"}, {"[::1]:0", "[::1]:0"}, {":0", "127.0.0.1:0"}} {
			t.Run(fmt.Sprint(c.name, addresses), func(t *testing.T) {
				a, b := listenBursts(t, addresses[0]), listenBursts(t, addresses[1])
				want := sized(c.sizes...)
				if calls := sendAll(t, a, local(b), want); calls != c.calls {
					t.Errorf("%d calls, want %d", calls, c.calls)
				}
				got, pieces := take(t, b, len(want))
				for i := range want {
					if !bytes.Equal(got[i], want[i]) {
						t.Errorf("packet %d is %d bytes, want %d", i, len(got[i]), len(want[i]))
					}
				}
				if a.out.cuts && len(want) > 1 && pieces > c.calls {
					t.Errorf("%d packets came in %d pieces", len(want), pieces)
				}
			})
		}
	}
}

// A socket that checks no sums cannot have packets cut, as udp(7) says; others cannot because of the way packets take.
func TestBurstsThatCannotBeCut(t *testing.T) {
	a, b := listenBursts(t, "127.0.0.1:0"), listenBursts(t, "127.0.0.1:0")
	checkNoSums(t, a.descriptor.raw)
	want := sized(1000, 1000, 1000, 20)
	if calls := sendAll(t, a, local(b), want); calls != 1 {
		t.Errorf("%d calls", calls)
	}
	if got, _ := take(t, b, len(want)); !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("other packets came: %d", len(got))
	}
}

func TestBurstsGoOn(t *testing.T) {
	a, b := listenBursts(t, "127.0.0.1:0"), listenBursts(t, "127.0.0.1:0")
	const many = 1000 // more than one call takes
	if err := b.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	next, sent := 0, 0
	send := func(n int) {
		for range n {
			if _, err := a.WriteToAddrPort([]byte{byte(sent), byte(sent >> 8)}, local(b)); err != nil {
				t.Error(err)
			}
			sent++
		}
	}
	send(20)
	err := b.Receive(func(data []byte, size int, _ netip.AddrPort) {
		for packet := range slices.Chunk(data, size) {
			if got := int(packet[0]) | int(packet[1])<<8; got != next {
				t.Errorf("packet %d came, want %d", got, next)
			}
			next++
		}
	}, func() bool {
		if next == sent && sent < many {
			send(20)
		}
		return next < many
	})
	if err != nil || next != many {
		t.Errorf("%d packets came, %v", next, err)
	}
}

func TestBurstsThatCannotBeSent(t *testing.T) {
	b := listenBursts(t, "127.0.0.1:0")
	if _, err := b.WriteToAddrPort(make([]byte, 65508), local(b)); err == nil {
		t.Error("a packet that is too long was sent")
	}
	if _, err := b.WriteToAddrPort([]byte("x"), netip.AddrPort{}); err == nil {
		t.Error("a packet to nowhere was sent")
	}
}

func TestBurstsEndWithTheSocket(t *testing.T) {
	b := listenBursts(t, "127.0.0.1:0")
	done := make(chan error)
	go func() { done <- b.Receive(func([]byte, int, netip.AddrPort) {}, always) }()
	b.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkBursts(b *testing.B) {
	a, c := listenBursts(b, "127.0.0.1:0"), listenBursts(b, "127.0.0.1:0")
	to, packet := local(c), make([]byte, 1000)
	var run Run
	handle := func([]byte, int, netip.AddrPort) {}
	b.ReportAllocs()
	for b.Loop() {
		for range 20 {
			run.Add(packet[:4], packet[4:])
		}
		if err := a.Send(&run, to); err != nil {
			b.Fatal(err)
		}
		run.Reset()
		if err := c.Receive(handle, once); err != nil {
			b.Fatal(err)
		}
	}
}
