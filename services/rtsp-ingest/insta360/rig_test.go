package insta360

import (
	"bytes"
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what should come at once on an idle machine.
const patience = time.Minute

// rig is a camera and what receives from it.
type rig struct {
	*Camera
	fake   *fakecam.Insta360
	events *stream.Subscription[Event]
}

// overTCP starts a camera on the network.
func overTCP(t *testing.T, config fakecam.Insta360Config) *rig {
	t.Helper()
	fake := fakecam.StartInsta360(t, config)
	where, err := address.Parse(fake.URL(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, New(Config{Address: where}), fake)
}

// inMemory starts a camera without a network, for bubbles of synctest.
func inMemory(t *testing.T, config fakecam.Insta360Config) *rig {
	t.Helper()
	fake := fakecam.NewInsta360Pipe(config)
	t.Cleanup(fake.Close)
	return newRig(t, New(Config{Dial: fake.Dial}), fake)
}

func newRig(t *testing.T, c *Camera, fake *fakecam.Insta360) *rig {
	r := &rig{Camera: c, fake: fake, events: c.Events(stream.DropOldest(1000))}
	t.Cleanup(c.Close)
	return r
}

// reception is a connection that is being received from.
type reception struct {
	pictures *stream.Subscription[feed.Picture]
	leave    context.CancelFunc
	ended    chan struct{}
	err      error // once ended is closed
}

// receive opens a connection and runs it.
func (r *rig) receive(t *testing.T) *reception {
	t.Helper()
	conn, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	topic := stream.NewTopic[feed.Picture]()
	ctx, cancel := context.WithCancel(context.Background())
	n := &reception{pictures: topic.Subscribe(stream.DropOldest(10_000)), leave: cancel, ended: make(chan struct{})}
	go func() {
		defer close(n.ended)
		n.err = conn.Run(ctx, feed.Receiver{Picture: topic.Publish})
	}()
	t.Cleanup(func() { n.leave(); <-n.ended })
	return n
}

// next returns the next pictures.
func (n *reception) next(t *testing.T, count int) (all []feed.Picture) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range count {
		p, err := n.pictures.Next(ctx)
		if err != nil {
			t.Fatalf("after %d pictures: %v", len(all), err)
		}
		all = append(all, p)
	}
	return all
}

// end waits for the end of Run.
func (n *reception) end(t *testing.T) error {
	t.Helper()
	select {
	case <-n.ended:
	case <-time.After(patience):
		t.Fatal("Run goes on")
	}
	return n.err
}

// await returns the next event of a kind.
func (r *rig) await(t *testing.T, kind EventKind) Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		e, err := r.events.Next(ctx)
		if err != nil {
			t.Fatalf("no event of kind %d: %v", kind, err)
		}
		if e.Kind == kind {
			return e
		}
	}
}

// happened waits until something has happened to the fake camera.
func (r *rig) happened(t *testing.T, kind fakecam.Kind, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.fake.Await(ctx, kind, n); err != nil {
		t.Fatal(err)
	}
}

// compare checks that pictures are those of a clip, from its first on.
func compare(t *testing.T, got []feed.Picture, clip *fakecam.Media, interval time.Duration) {
	t.Helper()
	for i, p := range got {
		unit := clip.Units[i%len(clip.Units)]
		switch {
		case !slices.EqualFunc(p.Data, unit.Data, bytes.Equal):
			t.Fatalf("picture %d has other bytes than were sent: %d NAL units instead of %d", i, len(p.Data), len(unit.Data))
		case p.MediaType != mediaType(clip):
			t.Fatalf("picture %d is %s", i, p.MediaType)
		case p.Damaged || p.Missing || p.Untimed:
			t.Fatalf("picture %d: damaged %v, missing %v, untimed %v", i, p.Damaged, p.Missing, p.Untimed)
		case p.Time-got[0].Time != time.Duration(i)*interval:
			t.Fatalf("picture %d is %v after the first, want %v", i, p.Time-got[0].Time, time.Duration(i)*interval)
		case p.Arrival.IsZero():
			t.Fatalf("picture %d has no arrival", i)
		}
	}
}

func mediaType(clip *fakecam.Media) string {
	if clip.Encoding == fakecam.H265 {
		return media.H265
	}
	return media.H264
}

// closed is a peer that accepts and hangs up.
func closed(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	return ours, theirs.Close()
}
