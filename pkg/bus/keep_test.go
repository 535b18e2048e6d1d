package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

const kept = "waldo.v1.demo.front.out.video-jpeg"

func keep(t testing.TB, c *bus.ConnCloser, group string, bytes int64) *bus.Kept {
	t.Helper()
	k, err := c.Keep(t.Context(), kept, group, bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// take returns the number of the next message, and the message.
func take(t testing.TB, k *bus.Kept) (int64, *bus.Delivery) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d, err := k.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var f mediav1.VideoFrame
	if err := proto.Unmarshal(d.Data, &f); err != nil {
		t.Fatal(err)
	}
	return f.GetSequence(), d
}

// nothing fails if a message waits.
func nothing(t testing.TB, k *bus.Kept, why string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if d, err := k.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: %v, %v", why, d, err)
	}
}

// TestKeepDealsAndRedelivers: a message goes to one member of every group, and to another one if the first
// returns it or is not heard of.
func TestKeepDealsAndRedelivers(t *testing.T) {
	a, b := pair(t)
	one, two, other := keep(t, a, "track-a", 0), keep(t, b, "track-a", 0), keep(t, b, "track-b", 0)
	for i := range 3 {
		publish(t, a, kept, frame(i, 10))
	}
	first, d := take(t, one)
	second, d2 := take(t, two)
	third, silent := take(t, one)
	if first != 0 || second != 1 || third != 2 {
		t.Fatalf("the group got %d, %d, %d", first, second, third)
	}
	d.Confirm()
	d2.Return()
	if again, d := take(t, one); again != 1 {
		t.Errorf("got %d, want the one that was returned", again)
	} else {
		d.Confirm()
	}
	began := time.Now()
	if again, d := take(t, two); again != 2 || time.Since(began) < bus.KeptFor/2 {
		t.Errorf("got %d after %v, want the one that nobody spoke of", again, time.Since(began))
	} else {
		d.Confirm()
	}
	silent.Confirm() // too late, and no harm
	nothing(t, one, "all are confirmed")
	for want := range int64(3) {
		if got, d := take(t, other); got != want {
			t.Errorf("the other group got %d, want %d", got, want)
		} else {
			d.Confirm()
		}
	}
}

// TestKeepGoesOnAfterRestart: what the server had is lost, and what comes is kept again.
func TestKeepGoesOnAfterRestart(t *testing.T) {
	s := startServer(t, embedded.Config{})
	c := connect(t, bus.Config{URL: s.URL()})
	k := keep(t, c, "track-a", 0)
	publish(t, c, kept, frame(1, 10))
	if n, _ := take(t, k); n != 1 {
		t.Fatalf("got %d", n)
	}
	events := connects(t, c)
	s.Close()
	restart(t, s)
	receive(t, "the connection", events)
	got := make(chan int64, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n, d := take(t, k)
		d.Confirm()
		got <- n
	}()
	until(t, "a message published after the restart comes", func() bool {
		publish(t, c, kept, frame(2, 10)) // not kept before the member has noticed
		select {
		case n := <-got:
			return n == 2
		case <-time.After(20 * time.Millisecond):
			return false
		}
	})
	<-ended
}

// TestKeepIsBounded: of what nobody takes the newest stays.
func TestKeepIsBounded(t *testing.T) {
	s := startServer(t, embedded.Config{})
	c := connect(t, bus.Config{URL: s.URL()})
	k := keep(t, c, "track-a", 1<<20)
	const messages = 64
	for i := range messages {
		publish(t, c, kept, frame(i, 100<<10))
	}
	state := streamState(t, s)
	until(t, "the server has all messages", func() bool { return state().LastSeq == messages })
	if b := state().Bytes; b > 1<<20 {
		t.Errorf("%d bytes are kept", b)
	}
	for want := int64(messages - 10); want < messages; want++ { // ten of them fit
		n, d := take(t, k)
		if n != want {
			t.Fatalf("got %d, want %d", n, want)
		}
		d.Confirm()
	}
	until(t, "nothing is kept", func() bool { return state().Msgs == 0 })
}

// streamState asks the server what it keeps.
func streamState(t *testing.T, s *embedded.Server) func() jetstream.StreamState {
	js, err := jetstream.New(rawClient(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return func() jetstream.StreamState {
		kept, err := js.Stream(t.Context(), "waldo_v1_demo_front_out_video-jpeg")
		if err != nil {
			t.Fatal(err)
		}
		return kept.CachedInfo().State
	}
}

func TestKeepNeedsJetStream(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	c := connect(t, bus.Config{URL: s.ClientURL()})
	flush(t, c)
	if _, err := c.Keep(t.Context(), kept, "track-a", 0); !errors.Is(err, bus.ErrNotKept) {
		t.Errorf("a server without JetStream: %v", err)
	}
}

// TestKeepEnds with its connection, with Close and with its context.
func TestKeepEnds(t *testing.T) {
	c, _ := pair(t)
	k := keep(t, c, "track-a", 0)
	nothing(t, k, "nothing was published")
	k.Close()
	if _, err := k.Next(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("after Close: %v", err)
	}
	k = keep(t, c, "track-a", 0)
	failed := make(chan error, 1)
	go func() {
		_, err := k.Next(context.Background())
		failed <- err
	}()
	within(t, "the end of the connection", c.Close)
	if err := receive(t, "the end of Next", failed); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the connection: %v", err)
	}
}

// camera is the subject of a camera's frames.
func camera(robot, device string) string {
	return bus.Address{Robot: robot, Device: device}.Out("video-jpeg")
}

// TestKeepTellsSubjectsApart: hyphens in names do not make two streams one.
func TestKeepTellsSubjectsApart(t *testing.T) {
	a, b := pair(t)
	subjects := []string{camera("rover", "a-b"), camera("rover-a", "b")}
	var groups []*bus.Kept
	for _, subject := range subjects {
		k, err := a.Keep(t.Context(), subject, "track.a", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.Close)
		groups = append(groups, k)
	}
	for i, subject := range subjects {
		publish(t, b, subject, frame(i, 0))
	}
	for i, k := range groups {
		if n, _ := take(t, k); n != int64(i) {
			t.Errorf("the group of %s got message %d", subjects[i], n)
		}
	}
}

// TestKeepMakesRoom: memory that is reserved for streams without groups is given to others, and who gets none is told.
func TestKeepMakesRoom(t *testing.T) {
	s := startServer(t, embedded.Config{})
	c := connect(t, bus.Config{URL: s.URL()})
	flush(t, c)
	const half = 128 << 20 // of what the server has
	for _, device := range []string{"one", "two"} {
		if _, err := c.Keep(t.Context(), camera("demo", device), "track.a", half); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Keep(t.Context(), camera("demo", "three"), "track.a", half); !errors.Is(err, bus.ErrNoRoom) {
		t.Errorf("without memory: %v", err)
	}
	js, err := jetstream.New(rawClient(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteConsumer(t.Context(), "waldo_v1_demo_one_out_video-jpeg", "track_a"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Keep(t.Context(), camera("demo", "three"), "track.a", half); err != nil {
		t.Errorf("after a group has gone: %v", err)
	}
	if _, err := js.Stream(t.Context(), "waldo_v1_demo_two_out_video-jpeg"); err != nil {
		t.Errorf("the stream of a group that is there: %v", err)
	}
}
