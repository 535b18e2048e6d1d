package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// startOut starts a device and returns it with its stream "out".
func startOut(t testing.TB, s Settings) (*Process, *Out[*wrapperspb.DoubleValue]) {
	t.Helper()
	var out *Out[*wrapperspb.DoubleValue]
	p := start(t, kindOf(work, func(k *Kit) { out = NewOut[*wrapperspb.DoubleValue](k, "out", OutOptions{}) }), s)
	return p, out
}

func holdOut(t testing.TB, c *bus.Conn, holder string, ttl time.Duration) error {
	t.Helper()
	_, err := devicev1.NewDeviceServiceClient(c.Client(bus.Address{Robot: "r", Device: "d"})).HoldStream(t.Context(),
		&devicev1.HoldStreamRequest{Stream: "out", Holder: holder, Ttl: durationpb.New(ttl)})
	return err
}

func TestPublishOnlyWhileHeld(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, server.URL())
	p, out := startOut(t, Settings{NATS: server.URL()})
	values, err := bus.Subscribe[*wrapperspb.DoubleValue](c, p.Kit().Address().Out("out"), stream.DropOldest(10))
	if err != nil {
		t.Fatal(err)
	}
	defer values.Close()
	heard := states(t, c)
	untilState(t, heard, ready)

	next := 0.0
	publish := func() { next++; out.Publish(wrapperspb.Double(next)) }
	publish() // 1: nobody
	if err := holdOut(t, c, "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	publish() // 2: a
	if err := errors.Join(holdOut(t, c, "b", time.Minute), holdOut(t, c, "a", 0)); err != nil {
		t.Fatal(err)
	}
	publish() // 3: b
	if err := holdOut(t, c, "b", 0); err != nil || out.Held() {
		t.Fatal("still held", err)
	}
	publish() // 4: nobody
	if err := holdOut(t, c, "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	publish() // 5: a
	for _, want := range []float64{2, 3, 5} {
		if v, err := values.Next(t.Context()); err != nil || v.Value != want {
			t.Fatalf("got %v, %v, want %v", v, err, want)
		}
	}
	for _, want := range []string{`published_total{stream="out"} 3`, `lost_total{stream="out"} 0`,
		`holders{stream="out"} 1`} {
		if text := get(t, p, "/metrics"); !strings.Contains(text, "waldo_device_"+want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// TestHoldersFromSeveralPeers uses the bus's own holds, which renew, and sees their number in the state.
func TestHoldersFromSeveralPeers(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, server.URL())
	p := start(t, kindOf(work), Settings{NATS: server.URL()})
	w := watch(t, p)
	var holds []*bus.Hold
	for i := range 3 {
		peer := connect(t, server.URL())
		holds = append(holds, peer.Hold(p.Kit().Address(), "level", fmt.Sprint("peer ", i)))
		until(t, w, "one more", holders(int32(i+1)))
	}
	heard := states(t, c)
	until(t, heard, "three", holders(3))
	for i, h := range holds {
		h.Close()
		until(t, w, "one less", holders(int32(2-i)))
	}
	until(t, heard, "none", holders(0))

	// A watcher may never see a hold of 10 ms, because it gets the newest state only; but it sees one that becomes that
	// short.
	client := c.Client(p.Kit().Address())
	hold(t, client, "silent", time.Minute)
	until(t, w, "the hold", holders(1))
	hold(t, client, "silent", 10*time.Millisecond)
	until(t, w, "its expiry", holders(0))
}

func TestTooManyHolders(t *testing.T) {
	server := startServer(t, embedded.Config{})
	_, out := startOut(t, Settings{NATS: server.URL()})
	for i := range maxHolders {
		if err := out.holds.renew(fmt.Sprint(i), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	c := connect(t, server.URL())
	untilState(t, states(t, c), ready)
	if err := holdOut(t, c, "one more", time.Minute); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
	if err := holdOut(t, c, "7", time.Minute); err != nil {
		t.Errorf("a holder cannot renew: %v", err)
	}
}

// TestHoldsOfAnotherLife checks that a device that starts again publishes nothing until it is held anew.
func TestHoldsOfAnotherLife(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, server.URL())
	heard := states(t, c)
	first, out := startOut(t, Settings{NATS: server.URL()})
	untilState(t, heard, ready)
	if err := holdOut(t, c, "a", time.Minute); err != nil || !out.Held() {
		t.Fatal(err)
	}
	first.Stop()
	if out.Held() {
		t.Error("held after the end")
	}
	untilState(t, heard, stopping)
	_, again := startOut(t, Settings{NATS: server.URL()})
	d := untilState(t, heard, ready)
	if again.Held() || d.Streams[1].HolderCount != 0 {
		t.Error("a hold survived")
	}
}

func TestPublishWithoutTheBus(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, server.URL())
	p, out := startOut(t, Settings{NATS: server.URL()})
	untilState(t, states(t, c), ready)
	if err := holdOut(t, c, "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	out.Publish(wrapperspb.Double(1))
	server.Close()
	for p.Kit().conn.Connected() { // the connection sees its end by itself
		time.Sleep(time.Millisecond)
	}
	for range 5 {
		out.Publish(wrapperspb.Double(2))
	}
	text := get(t, p, "/metrics")
	for _, want := range []string{`waldo_device_published_total{stream="out"} 1`,
		`waldo_device_lost_total{stream="out"} 5`} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	untilReady(t, p)
}

func TestSetKeyFrameOnRequest(t *testing.T) {
	server := startServer(t, embedded.Config{})
	heard := states(t, connect(t, server.URL()))
	_, out := startOut(t, Settings{NATS: server.URL()})
	if d := untilState(t, heard, ready); d.Streams[1].KeyFrameOnRequest {
		t.Error("it was true before")
	}
	out.SetKeyFrameOnRequest(true)
	until(t, heard, "key frames on request", func(d *devicev1.Device) bool { return d.Streams[1].KeyFrameOnRequest })
}

func TestSetMediaTypes(t *testing.T) {
	server := startServer(t, embedded.Config{})
	heard := states(t, connect(t, server.URL()))
	_, out := startOut(t, Settings{NATS: server.URL()})
	if d := untilState(t, heard, ready); len(d.Streams[1].MediaTypes) != 0 {
		t.Errorf("media types before they are known: %v", d.Streams[1].MediaTypes)
	}
	out.SetMediaTypes("video/H264")
	until(t, heard, "media types",
		func(d *devicev1.Device) bool { return slices.Equal(d.Streams[1].MediaTypes, []string{"video/H264"}) })
}

// TestAbsentStream has a stream that nobody learns of before the hardware is known.
func TestAbsentStream(t *testing.T) {
	server := startServer(t, embedded.Config{})
	heard := states(t, connect(t, server.URL()))
	_, out := startOut(t, Settings{NATS: server.URL()})
	listed := func(d *devicev1.Device) bool {
		return slices.ContainsFunc(d.Streams, func(s *devicev1.StreamInfo) bool { return s.Name == "out" })
	}
	if d := untilState(t, heard, ready); !listed(d) {
		t.Errorf("the stream is not in %v", d.Streams)
	}
	out.SetPresent(false)
	until(t, heard, "no stream", func(d *devicev1.Device) bool { return !listed(d) })
	out.SetPresent(true)
	until(t, heard, "a stream", listed)
}

// TestWhileHeld lets work follow the holds of a stream, by the clock of a synctest bubble.
func TestWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &out{holds: newHolds(func() {})}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begin := time.Now()
		var log []string
		note := func(what string) { log = append(log, fmt.Sprint(what, " ", time.Since(begin))) }
		ended := make(chan error)
		go func() {
			ended <- o.WhileHeld(ctx, func(ctx context.Context) error {
				note("on")
				<-ctx.Done()
				note("off")
				return ctx.Err()
			})
		}()
		renew := func(holder string, ttl time.Duration) {
			synctest.Wait()
			if err := o.holds.renew(holder, ttl); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Second) // 1 s: free
		renew("a", 3*time.Second)
		time.Sleep(2 * time.Second) // 3 s
		renew("a", 3*time.Second)
		renew("b", 4*time.Second)
		time.Sleep(5 * time.Second) // 8 s: free since 7 s
		renew("b", time.Minute)
		time.Sleep(time.Second) // 9 s
		renew("b", 0)
		time.Sleep(time.Second) // 10 s
		renew("b", time.Minute)
		time.Sleep(time.Second) // 11 s
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		o.holds.stop()
		want := "[on 1s off 7s on 8s off 9s on 10s off 11s]"
		if got := fmt.Sprint(log); got != want {
			t.Errorf("work was\n%s, want\n%s", got, want)
		}
	})
}

func TestWhileHeldEndsWithWork(t *testing.T) {
	broken := errors.New("broken")
	for _, want := range []error{nil, broken} {
		o := &out{holds: newHolds(func() {})}
		if err := o.holds.renew("a", time.Minute); err != nil {
			t.Fatal(err)
		}
		runs := 0
		if err := o.WhileHeld(t.Context(), func(context.Context) error { runs++; return want }); !errors.Is(err, want) ||
			runs != 1 {
			t.Errorf("ended with %v after %d runs, want %v", err, runs, want)
		}
		o.holds.stop()
	}
}
