package device

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// TestBusThatRefuses checks that a device with the wrong token works without the bus, ends without it, and joins the
// bus once that takes the token.
func TestBusThatRefuses(t *testing.T) {
	server := startServer(t, embedded.Config{Token: "s3cret"})
	settings := Settings{NATS: server.URL(), Token: "other"}
	patient, short := start(t, kindOf(work), settings), start(t, kindOf(work), settings)
	hold(t, dial(t, short, "other"), "me", time.Minute)
	within(t, 30*time.Second, "stopping", short.Stop)

	server.Close()
	startServer(t, embedded.Config{Token: "other", Listen: strings.TrimPrefix(server.URL(), "nats://")})
	c, err := bus.Connect(bus.Config{URL: server.URL(), Token: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if d := untilState(t, states(t, c.Conn), ready); d.Epoch != patient.Kit().Epoch() {
		t.Errorf("heard of %v", d)
	}
}

// TestBusThatHangs puts a relay before the bus that stops to read, as a machine does that is out of memory.
func TestBusThatHangs(t *testing.T) {
	server := startServer(t, embedded.Config{})
	relay := newRelay(t, strings.TrimPrefix(server.URL(), "nats://"))
	heard := states(t, connect(t, server.URL()))
	var out *Out[*wrapperspb.BytesValue]
	p := start(t, kindOf(work, func(k *Kit) { out = NewOut[*wrapperspb.BytesValue](k, "pictures", OutOptions{}) }),
		Settings{NATS: "nats://" + relay.address})
	untilState(t, heard, ready)
	if err := out.holds.renew("me", time.Hour); err != nil {
		t.Fatal(err)
	}
	relay.freeze()
	picture := wrapperspb.Bytes(make([]byte, 512<<10))
	// The bus is given up once, after 2 s; if each picture waited that long it would take 4 minutes. The rest is for a
	// busy machine.
	within(t, time.Minute, "publishing 64 MB", func() {
		for range 128 {
			out.Publish(picture)
		}
	})
	within(t, 30*time.Second, "a call", func() { untilReady(t, p) })
	within(t, 30*time.Second, "stopping", p.Stop)
}

// relay carries connections to a server until it freezes.
type relay struct {
	address        string
	frozen, closed chan struct{}
	running        sync.WaitGroup
	mu             sync.Mutex
	open           []io.Closer
}

func newRelay(t *testing.T, to string) *relay {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: l.Addr().String(), frozen: make(chan struct{}), closed: make(chan struct{}), open: []io.Closer{l}}
	t.Cleanup(r.close)
	r.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			if server, err := net.Dial("tcp", to); err == nil {
				r.mu.Lock()
				r.open = append(r.open, client, server)
				r.mu.Unlock()
				r.running.Go(func() { r.carry(server, client) })
				r.running.Go(func() { r.carry(client, server) })
			}
		}
	})
	return r
}

func (r *relay) carry(to io.Writer, from io.Reader) {
	for part := make([]byte, 32<<10); ; {
		n, err := from.Read(part)
		if closed(r.frozen) {
			<-r.closed
			return
		}
		if err != nil {
			return
		}
		if _, err := to.Write(part[:n]); err != nil {
			return
		}
	}
}

func (r *relay) freeze() { close(r.frozen) }

func (r *relay) close() {
	close(r.closed)
	r.mu.Lock()
	for _, c := range r.open {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.running.Wait()
}
