package bus_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// frame makes a frame whose bytes tell a wrong order: the pattern's length divides that of no part.
func frame(sequence, size int) *mediav1.VideoFrame {
	pattern := make([]byte, 8191)
	for i := range pattern {
		pattern[i] = byte(i>>8) ^ byte(i) ^ byte(sequence)
	}
	data := bytes.Repeat(pattern, size/len(pattern)+1)[:size]
	return &mediav1.VideoFrame{Epoch: 1, Sequence: int64(sequence), Data: data}
}

func TestMessagesOfAnySizeInOrder(t *testing.T) {
	a, b := pair(t)
	sub := subscribe[*mediav1.VideoFrame](t, a, front.Out("video"), stream.DropOldest(100))
	sizes := []int{0, 100, 1<<20 - 4096, 1 << 20, 5 << 20, 7, 2 << 20, 1}
	for i, size := range sizes {
		publish(t, b, front.Out("video"), frame(i, size))
	}
	for i, size := range sizes {
		if got := next(t, sub); !proto.Equal(got, frame(i, size)) {
			t.Fatalf("message %d of %d bytes: got number %d of %d bytes", i, size, got.GetSequence(), len(got.GetData()))
		}
	}
}

func TestSplitMessagesOfManyPublishers(t *testing.T) {
	s := startServer(t, embedded.Config{})
	sub := subscribe[*mediav1.VideoFrame](t, connect(t, bus.Config{URL: s.URL()}),
		bus.Address{Robot: "demo", Device: bus.Any}.Out("video"), stream.DropOldest(100))
	const publishers, each = 3, 3
	var all sync.WaitGroup
	for p := range publishers {
		c := connect(t, bus.Config{URL: s.URL()})
		all.Go(func() {
			for i := range each {
				if err := c.Publish(bus.Address{Robot: "demo", Device: fmt.Sprint("cam-", p)}.Out("video"),
					frame(100*p+i, 2<<20)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	seen := [publishers]int{}
	for range publishers * each {
		got := next(t, sub)
		p := int(got.GetSequence() / 100)
		if !proto.Equal(got, frame(100*p+seen[p], 2<<20)) {
			t.Fatalf("publisher %d, message %d: got %d", p, seen[p], got.GetSequence())
		}
		seen[p]++
	}
}

func TestForeignMessagesAreCountedAndIgnored(t *testing.T) {
	s := startServer(t, embedded.Config{})
	registry := prometheus.NewRegistry()
	c := connect(t, bus.Config{URL: s.URL(), Metrics: registry})
	sub := subscribe[*mediav1.VideoFrame](t, c, front.Out("video"), stream.DropOldest(100))
	raw := rawClient(t, s)
	send := func(header nats.Header, data string) {
		t.Helper()
		if err := raw.PublishMsg(&nats.Msg{Subject: front.Out("video"), Header: header, Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	video := func(more ...string) nats.Header {
		h := nats.Header{"Waldo-Type": {"waldo.media.v1.VideoFrame"}}
		if len(more) > 0 {
			h["Waldo-Part"] = more
		}
		return h
	}
	send(nil, "no header at all")
	send(nats.Header{"Waldo-Type": {"waldo.media.v2.VideoFrame"}}, "")
	send(nats.Header{"Waldo-Type": {"waldo.device.v1.Device"}}, "")
	send(video(), "\xff\xff garbage")
	send(video("x 0"), "a")
	send(video("x 2 2"), "a")
	send(video("x 0 99999999999999999999"), "a")
	send(video("x 0 2"), "")
	send(video("lost-first 1 2"), "a")
	send(video("y 0 3"), "a")
	send(video("y 2 3"), "a")
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	publish(t, c, front.Out("video"), frame(7, 10))
	if got := next(t, sub); got.GetSequence() != 7 {
		t.Errorf("got message %d, want only 7", got.GetSequence())
	}
	for _, want := range []struct {
		name, reason string
		n            float64
	}{
		{"waldo_bus_ignored_total", "type", 3},
		{"waldo_bus_ignored_total", "decode", 1},
		{"waldo_bus_ignored_total", "part", 4},
		{"waldo_bus_lost_total", "split", 2},
		{"waldo_bus_received_total", "", 1},
		{"waldo_bus_connected", "", 1},
	} {
		if got := metric(t, registry, want.name, want.reason); got != want.n {
			t.Errorf("%s{%s} = %v, want %v", want.name, want.reason, got, want.n)
		}
	}
}

func TestSlowReaders(t *testing.T) {
	const n = 50
	tests := []struct {
		name   string
		policy stream.Policy
		want   []int64
		lost   uint64
		end    error // after what is wanted
	}{
		{"latest", stream.Latest(), []int64{n - 1}, n - 1, nil},
		{"drop oldest", stream.DropOldest(3), []int64{n - 3, n - 2, n - 1}, n - 3, nil},
		{"strict", stream.Strict(2), []int64{0, 1}, 1, stream.ErrOverflow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, embedded.Config{})
			registry := prometheus.NewRegistry()
			c := connect(t, bus.Config{URL: s.URL(), Metrics: registry})
			sub := subscribe[*mediav1.VideoFrame](t, c, front.Out("video"), tt.policy)
			for i := range n {
				publish(t, c, front.Out("video"), frame(i, 10))
			}
			until(t, "all are received", func() bool { return metric(t, registry, "waldo_bus_received_total", "") == n })
			until(t, "losses are counted", func() bool {
				return metric(t, registry, "waldo_bus_lost_total", "slow_reader") == float64(tt.lost)
			})
			for _, want := range tt.want {
				if got := next(t, sub).GetSequence(); got != want {
					t.Errorf("got %d, want %d", got, want)
				}
			}
			if tt.end != nil {
				if _, err := sub.Next(t.Context()); !errors.Is(err, tt.end) {
					t.Errorf("ended with %v, want %v", err, tt.end)
				}
			}
			if sub.Lost() != tt.lost {
				t.Errorf("lost %d, want %d", sub.Lost(), tt.lost)
			}
		})
	}
}

func TestBlockKeepsAllAndDoesNotStopThePublisher(t *testing.T) {
	a, b := pair(t)
	sub := subscribe[*mediav1.VideoFrame](t, a, front.Out("video"), stream.Block(1))
	other := subscribe[*mediav1.VideoFrame](t, a, front.Out("video"), stream.DropOldest(100))
	for i := range 100 {
		publish(t, b, front.Out("video"), frame(i, 1000))
	}
	for i := range 100 { // while sub is not read
		if got := next(t, other).GetSequence(); got != int64(i) {
			t.Fatalf("the other reader got %d, want %d", got, i)
		}
	}
	for i := range 100 {
		if got := next(t, sub).GetSequence(); got != int64(i) {
			t.Fatalf("got %d, want %d", got, i)
		}
	}
}

func TestCloseFreesWhoeverWaits(t *testing.T) {
	s := startServer(t, embedded.Config{})
	registry := prometheus.NewRegistry()
	c := connect(t, bus.Config{URL: s.URL(), Metrics: registry})
	full := subscribe[*mediav1.VideoFrame](t, c, front.Out("video"), stream.Block(1))
	left := subscribe[*mediav1.VideoFrame](t, c, front.Out("video"), stream.Block(1))
	empty := subscribe[*mediav1.VideoFrame](t, c, front.Out("audio"), stream.Latest())
	for i := range 10 {
		publish(t, c, front.Out("video"), frame(i, 10))
	}
	until(t, "both receivers wait", func() bool { return metric(t, registry, "waldo_bus_received_total", "") == 4 })
	within(t, "Close of a subscription", left.Close)
	if _, err := left.Next(t.Context()); !errors.Is(err, stream.ErrClosed) {
		t.Errorf("closed subscription: %v", err)
	}
	within(t, "Close of the connection", c.Close)
	within(t, "a second Close", c.Close)
	if got := next(t, full).GetSequence(); got != 0 {
		t.Errorf("got %d, want what was queued", got)
	}
	for _, sub := range []*bus.Subscription[*mediav1.VideoFrame]{full, empty} {
		if _, err := sub.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("ended with %v, want io.EOF", err)
		}
	}
	within(t, "Close of a subscription after all", full.Close)
}

func TestAfterClose(t *testing.T) {
	a, _ := pair(t)
	a.Close()
	if a.Connected() {
		t.Error("still connected")
	}
	if err := a.Publish(front.State(), &devicev1.Device{}); !errors.Is(err, bus.ErrDisconnected) {
		t.Errorf("Publish: %v", err)
	}
	if _, err := bus.Subscribe[*devicev1.Device](a.Conn, front.State(), stream.Latest()); err == nil {
		t.Error("Subscribe works")
	}
	if _, err := a.Serve(bus.ServiceConfig{Address: front, Kind: "camera", Version: "1.0.0"}); err == nil {
		t.Error("Serve works")
	}
	within(t, "Close of a hold", a.Hold(front, "video", "me").Close)
	if _, err := a.Devices(t.Context()); !errors.Is(err, bus.ErrDisconnected) {
		t.Errorf("Devices: %v", err)
	}
}

func TestCloseInsideOnConnect(t *testing.T) {
	s := startServer(t, embedded.Config{})
	c := connect(t, bus.Config{URL: s.URL()})
	closed := make(chan struct{})
	stop := c.OnConnect(func() {
		c.Close()
		close(closed)
	})
	defer stop()
	s.Close()
	restart(t, s)
	receive(t, "Close", closed)
}

func TestPublishRefuses(t *testing.T) {
	s := startServer(t, embedded.Config{})
	registry := prometheus.NewRegistry()
	c := connect(t, bus.Config{URL: s.URL(), Metrics: registry})
	tests := []struct {
		name, subject string
		message       proto.Message
		want          string
	}{
		{"no subject", "", &devicev1.Device{}, "subject"},
		{"line break", "a\r\nPUB b 0", &devicev1.Device{}, "subject"},
		{"too large", front.Out("video"), &mediav1.VideoFrame{Data: make([]byte, 64<<20)}, "64 MiB"},
		{"bad text", front.State(), &devicev1.Device{Name: "\xff"}, "UTF-8"},
	}
	for _, tt := range tests {
		err := c.Publish(tt.subject, tt.message)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, bus.ErrDisconnected) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.want)
		}
	}
	if got := metric(t, registry, "waldo_bus_lost_total", "refused"); got != 3 {
		t.Errorf("counted %v as refused, want 3", got)
	}
	if _, err := bus.Subscribe[*devicev1.Device](c.Conn, "a b", stream.Latest()); err == nil {
		t.Error("subscribed to a subject with a space")
	}
	within(t, "Close after a refused subscription", c.Close)
}

func TestWildcardsTakeOnlyTheirType(t *testing.T) {
	a, b := pair(t)
	states := subscribe[*devicev1.Device](t, a, bus.Address{Robot: "demo", Device: bus.Any}.State(), stream.DropOldest(10))
	for _, name := range []string{"front", "back"} {
		publish(t, b, bus.Address{Robot: "demo", Device: name}.State(), &devicev1.Device{Name: name})
		publish(t, b, bus.Address{Robot: "other", Device: name}.State(), &devicev1.Device{Name: "other"})
		publish(t, b, bus.Address{Robot: "demo", Device: name}.Out("video"), frame(0, 1))
	}
	for _, want := range []string{"front", "back"} {
		if got := next(t, states).GetName(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMetricsAreRegisteredWhileOpen(t *testing.T) {
	s := startServer(t, embedded.Config{})
	registry := prometheus.NewRegistry()
	c := connect(t, bus.Config{URL: s.URL(), Metrics: registry})
	if _, err := bus.Connect(bus.Config{URL: s.URL(), Metrics: registry}); err == nil {
		t.Fatal("two connections share their metrics")
	}
	c.Close()
	connect(t, bus.Config{URL: s.URL(), Metrics: registry})
	if !bytes.Contains([]byte(fmt.Sprint(registry.Gather())), []byte("waldo_bus_connected")) {
		t.Error("no metrics")
	}
}

// TestSubscribeRaw gets messages of every type as they came, and ignores what is not named by its type.
func TestSubscribeRaw(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, bus.Config{URL: server.URL()})
	sub, err := bus.SubscribeRaw(c.Conn, "any", stream.DropOldest(10))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, header := range []nats.Header{{"Waldo-Type": {"not a name"}}, {"Waldo-Type": {strings.Repeat("a", 600)}}, {}} {
		if err := rawClient(t, server).PublishMsg(&nats.Msg{Subject: "any", Header: header, Data: []byte{8, 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.PublishAs(7, "any", frame(1, 10)); err != nil {
		t.Fatal(err)
	}
	publish(t, c, "any", &devicev1.Device{Name: "x"})
	for _, want := range []bus.Raw{{Type: "waldo.media.v1.VideoFrame", Epoch: 7}, {Type: "waldo.device.v1.Device"}} {
		if got, err := sub.Next(t.Context()); err != nil || got.Type != want.Type || got.Epoch != want.Epoch ||
			len(got.Data) == 0 {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}
