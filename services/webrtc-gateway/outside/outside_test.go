package outside

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	home   = netip.MustParseAddrPort("192.0.2.5:7100")
	street = netip.MustParseAddrPort("198.51.100.7:40001")
	corner = netip.MustParseAddrPort("198.51.100.7:40002")
	stun1  = []*signalingv1.IceServer{{Urls: []string{"stun:203.0.113.1:3478"}}}
)

// fakePort is a port behind a NAT.
type fakePort struct {
	mu     sync.Mutex
	own    []netip.AddrPort
	mapped netip.AddrPort // not valid: no server answers
	delay  time.Duration
	asked  int
	used   []*use
}

// use is a relay in use.
type use struct {
	conn    net.PacketConn
	retired chan struct{}
	idle    chan struct{}
	once    sync.Once
}

func (u *use) Retire()               { u.once.Do(func() { close(u.retired) }) }
func (u *use) Idle() <-chan struct{} { return u.idle }

func (p *fakePort) Ask(ctx context.Context, _ netip.AddrPort, _ time.Duration) (netip.AddrPort, error) {
	p.mu.Lock()
	p.asked++
	mapped, delay := p.mapped, p.delay
	p.mu.Unlock()
	if !mapped.IsValid() {
		<-ctx.Done()
		return mapped, errors.New("nobody answers")
	}
	time.Sleep(delay)
	return mapped, nil
}

func (p *fakePort) Addresses() []netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.own)
}

func (p *fakePort) Attach(relay net.PacketConn) Attachment {
	u := &use{conn: relay, retired: make(chan struct{}), idle: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = append(p.used, u)
	return u
}

func (p *fakePort) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *fakePort) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// list is a list of servers that changes.
type list struct {
	mu      sync.Mutex
	servers []*signalingv1.IceServer
	changed chan struct{}
}

func newList(servers []*signalingv1.IceServer) *list {
	return &list{servers: servers, changed: make(chan struct{})}
}

func (l *list) get() ([]*signalingv1.IceServer, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.servers, l.changed
}

func (l *list) set(servers []*signalingv1.IceServer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.servers, l.changed = servers, make(chan struct{})
}

func plain(addresses []Address) (list []netip.AddrPort) {
	for _, a := range addresses {
		list = append(list, a.AddrPort)
	}
	return list
}

// known checks what is known now, without waiting.
func known(t *testing.T, o *Outside, want ...netip.AddrPort) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := plain(o.Known(ctx)); !slices.Equal(got, want) {
		t.Errorf("known: %v, want %v", got, want)
	}
}

func TestMappingIsKnownBeforeItIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePort{own: []netip.AddrPort{home}, mapped: street, delay: 50 * time.Millisecond}
		o := New(Config{Servers: newList(stun1).get, Port: p})
		defer o.Close()
		synctest.Wait()
		known(t, o) // the answer is on its way
		begin := time.Now()
		if got := plain(o.Known(t.Context())); !slices.Equal(got, []netip.AddrPort{street}) {
			t.Errorf("after the answer: %v", got)
		}
		if took := time.Since(begin); took != 50*time.Millisecond {
			t.Errorf("waited %v", took)
		}
		known(t, o, street)
		// It is asked for again, so that the NAT keeps it and a new one is found.
		p.set(func() { p.mapped = corner })
		time.Sleep(refreshEvery + time.Second)
		known(t, o, corner)
		if got := p.count(); got != 2 {
			t.Errorf("asked %d times", got)
		}
	})
}

func TestWhatMakesItAskAgain(t *testing.T) {
	for name, happen := range map[string]func(*fakePort, *list, *Outside){
		"other servers": func(_ *fakePort, l *list, _ *Outside) { l.set(stun1) },
		"another address": func(p *fakePort, _ *list, _ *Outside) {
			p.set(func() { p.own = append(p.own, netip.MustParseAddrPort("192.0.2.6:7100")) })
		},
		"a connection that was interrupted": func(_ *fakePort, _ *list, o *Outside) { o.Renewed(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, l := &fakePort{own: []netip.AddrPort{home}, mapped: street}, newList(stun1)
				o := New(Config{Servers: l.get, Port: p})
				defer o.Close()
				o.Known(t.Context())
				p.set(func() { p.mapped = corner })
				happen(p, l, o)
				time.Sleep(watchEvery + time.Millisecond)
				known(t, o, corner)
			})
		})
	}
}

func TestNothingOutside(t *testing.T) {
	for name, tt := range map[string]struct {
		servers []*signalingv1.IceServer
		mapped  netip.AddrPort
	}{
		"no servers":           {nil, street},
		"no NAT":               {stun1, home},
		"servers that are odd": {[]*signalingv1.IceServer{{Urls: []string{"http://x", "stun:", "", "turn:[::1"}}}, street},
		"nobody answers":       {stun1, netip.AddrPort{}},
		"a relay without name": {[]*signalingv1.IceServer{{Urls: []string{"turns:203.0.113.1:443?transport=tcp"}}}, street},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := New(Config{Servers: newList(tt.servers).get,
					Port: &fakePort{own: []netip.AddrPort{home}, mapped: tt.mapped}})
				defer o.Close()
				if got := o.Known(t.Context()); len(got) != 0 {
					t.Errorf("known: %v", got)
				}
				begin := time.Now()
				o.Demand(t.Context())
				if took := time.Since(begin); took > askTimeout {
					t.Errorf("waited %v for a relay that cannot be", took)
				}
			})
		})
	}
}

// Nobody waits for servers that do not answer longer than he wants to.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Servers: newList(stun1).get, Port: &fakePort{}})
		defer o.Close()
		for name, wait := range map[string]func(context.Context){
			"Known": func(ctx context.Context) { o.Known(ctx) }, "Renewed": func(ctx context.Context) { o.Renewed(ctx) },
			"Demand": o.Demand,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			begin := time.Now()
			wait(ctx)
			if took := time.Since(begin); took > 100*time.Millisecond {
				t.Errorf("%s waited %v", name, took)
			}
			cancel()
		}
	})
}
