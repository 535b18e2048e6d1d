package relay

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"
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
