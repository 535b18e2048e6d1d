package outside

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/turntest"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// relayed waits for a relay whose address is not one of those, and returns its use.
func relayed(t *testing.T, o *Outside, p *fakePort, not ...Address) (Address, *use) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	for ctx.Err() == nil {
		for _, a := range o.Renewed(ctx) {
			if a.Relayed && !slices.Contains(not, a) {
				p.mu.Lock()
				defer p.mu.Unlock()
				return a, p.used[len(p.used)-1]
			}
		}
	}
	t.Fatal("there is no relay")
	return Address{}, nil
}

// talk sends packets both ways by a relay until they have arrived.
func talk(t *testing.T, at Address, by net.PacketConn) {
	t.Helper()
	far, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	arrived := make(chan string, 2)
	listen := func(c net.PacketConn) {
		b := make([]byte, 100)
		if n, _, err := c.ReadFrom(b); err == nil {
			arrived <- string(b[:n])
		}
	}
	go listen(by)
	go listen(far)
	deadline := time.After(watcher.Timeout)
	for got := 0; got < 2; {
		if _, err := by.WriteTo([]byte("out"), far.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, err := far.WriteTo([]byte("in"), net.UDPAddrFromAddrPort(at.AddrPort)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-arrived:
			got++
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%d of 2 packets arrived", got)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(watcher.Timeout); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", watcher.Timeout, what)
		}
	}
}

func TestRelayWhereUDPIsBlocked(t *testing.T) {
	for _, kind := range []turntest.Kind{turntest.TCP, turntest.TLS} {
		t.Run(string(kind), func(t *testing.T) {
			s := turntest.Start(t, kind, nil)
			p := &fakePort{}
			o := New(Config{Servers: newList(s.For("robot")).get, Port: p, TLS: s.TLS})
			at, by := relayed(t, o, p)
			talk(t, at, by.conn)
			if got := s.Allocations(); got != 1 {
				t.Errorf("%d relays", got)
			}
			o.Close()
			eventually(t, "the relay is given back", func() bool { return s.Allocations() == 0 })
		})
	}
}

func TestRelayOnDemand(t *testing.T) {
	s := turntest.Start(t, turntest.UDP, nil)
	p := &fakePort{mapped: street}
	o := New(Config{Servers: newList(s.For("robot")).get, Port: p})
	defer o.Close()
	if got := plain(o.Known(t.Context())); len(got) != 1 || got[0] != street || s.Allocations() != 0 {
		t.Errorf("without demand: %v, %d relays", got, s.Allocations())
	}
	o.Demand(t.Context())
	at, by := relayed(t, o, p)
	talk(t, at, by.conn)
	o.Demand(t.Context())
	if got := s.Allocations(); got != 1 {
		t.Errorf("%d relays", got)
	}
}

// The first server that gives a relay is used.
func TestRelayOfAnotherServer(t *testing.T) {
	dead, alive := turntest.Start(t, turntest.TCP, nil), turntest.Start(t, turntest.TCP, nil)
	dead.Stop()
	p := &fakePort{}
	o := New(Config{Servers: newList(append(dead.For("robot"), alive.For("robot")...)).get, Port: p})
	defer o.Close()
	relayed(t, o, p)
	if got := alive.Allocations(); got != 1 {
		t.Errorf("%d relays", got)
	}
}

// New credentials make a new relay. Connections that use the old one keep it.
func TestNewCredentials(t *testing.T) {
	s := turntest.Start(t, turntest.TCP, nil)
	p, l := &fakePort{}, newList(s.For("robot"))
	o := New(Config{Servers: l.get, Port: p})
	defer o.Close()
	first, old := relayed(t, o, p)
	l.set(s.For("robot again"))
	second, fresh := relayed(t, o, p, first)
	<-old.retired
	talk(t, first, old.conn)
	talk(t, second, fresh.conn)
	if got := s.Allocations(); got != 2 {
		t.Errorf("%d relays while both are used", got)
	}
	close(old.idle)
	eventually(t, "the old relay is given back", func() bool { return s.Allocations() == 1 })
	talk(t, second, fresh.conn)
	l.set(nil)
	eventually(t, "without servers there is no relay", func() bool { return len(o.Renewed(t.Context())) == 0 })
	<-fresh.retired
}

// A relay that is closed under its users' hands is replaced.
func TestRelayIsLost(t *testing.T) {
	s := turntest.Start(t, turntest.TCP, nil)
	p := &fakePort{}
	o := New(Config{Servers: newList(s.For("robot")).get, Port: p})
	defer o.Close()
	first, old := relayed(t, o, p)
	_ = old.conn.Close()
	second, fresh := relayed(t, o, p, first)
	talk(t, second, fresh.conn)
}

// An address that the server does not permit keeps nobody from sending to others.
func TestRefusedAddress(t *testing.T) {
	s := turntest.Start(t, turntest.UDP, func(ip net.IP) bool { return ip.IsLoopback() })
	p := &fakePort{mapped: street}
	o := New(Config{Servers: newList(s.For("robot")).get, Port: p})
	defer o.Close()
	o.Demand(t.Context())
	at, by := relayed(t, o, p)
	for range 10 {
		if _, err := by.conn.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 9}); err != nil {
			t.Fatal(err)
		}
	}
	talk(t, at, by.conn)
	g := by.conn.(*gate)
	eventually(t, "the refusal is known", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return slices.ContainsFunc([]*permit{g.permits[netip.MustParseAddr("192.0.2.9")]}, func(p *permit) bool {
			return p != nil && !p.open && !p.until.IsZero()
		})
	})
}

// A server that wants another password gives no relay, and is not asked more often than once in a while.
func TestWrongPassword(t *testing.T) {
	s := turntest.Start(t, turntest.TCP, nil)
	p := &fakePort{}
	wrong := []*signalingv1.IceServer{{Urls: []string{s.URL}, Username: "robot", Credential: "wrong"}}
	o := New(Config{Servers: newList(wrong).get, Port: p})
	defer o.Close()
	if got := o.Known(t.Context()); len(got) != 0 {
		t.Errorf("known: %v", got)
	}
}

// What a connection has no room for is lost in whole messages, and nobody waits for it.
func TestQueueNeverBlocks(t *testing.T) {
	near, far := net.Pipe() // has no room at all
	q := newQueued(near)
	for range maxQueued + 10 {
		if n, err := q.Write([]byte("message")); n != 7 || err != nil {
			t.Fatal(n, err)
		}
	}
	b := make([]byte, 100)
	for range maxQueued {
		if n, err := far.Read(b); err != nil || string(b[:n]) != "message" {
			t.Fatal(string(b[:n]), err)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Write([]byte("x")); err == nil {
		t.Error("a closed connection takes messages")
	}
	_ = far.Close()
}
