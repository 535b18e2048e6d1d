package uplink_test

import (
	"context"
	"slices"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
)

func ask(ctx context.Context, c *bus.ConnCloser) error {
	_, err := devicev1.NewDeviceServiceClient(c.Client(front)).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	return err
}

// TestNothingUntilSomebodyLooks counts the bytes that cross the link while people on the robot watch and nobody at the
// hub does: pings, and nothing else.
func TestNothingUntilSomebodyLooks(t *testing.T) {
	c := &camera{size: 20_000, interval: 20 * time.Millisecond}
	l := newLine(t, 0, 10)
	r := start(t, c, l)
	local := r.robot.Conn(t)
	seen := frames(t, local)
	hold := local.Hold(front, "video", "local")
	defer hold.Close()
	next := func(n int) {
		for range n {
			if _, err := seen.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	hubtest.Await(t, "the uplink is ready", func() bool { return r.state() == devicev1.DeviceState_DEVICE_STATE_READY })
	next(50)
	before := l.up.Load()
	next(150)                                       // 3 MB of pictures on the robot
	if err := ask(t.Context(), local); err != nil { // calls on the robot are no business of the hub either
		t.Error(err)
	}
	if crossed := l.up.Load() - before; crossed > 4000 {
		t.Errorf("%d bytes crossed the link, and nobody looked", crossed)
	}
	cloud := r.hub.Cloud(t)
	watched := frames(t, cloud)
	other := cloud.Hold(front, "video", "cloud")
	for range 20 {
		if _, err := watched.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	other.Close()
	hubtest.Await(t, "nothing crosses any more", func() bool {
		before := l.up.Load()
		next(25)
		return l.up.Load()-before < 4000
	})
}

// watch reads the camera for some time while it is called, and returns how long the calls took and how old the pictures
// were, sorted.
func watch(t testing.TB, cloud *bus.ConnCloser, seen *bus.Subscription[*mediav1.VideoFrame],
	d time.Duration) (calls, pictures []time.Duration) {
	t.Helper()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		begun := time.Now()
		if err := ask(t.Context(), cloud); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, time.Since(begun))
		for f, ok := seen.TryNext(); ok; f, ok = seen.TryNext() {
			at, err := time.Parse(time.RFC3339Nano, f.GetMetadata()["at"])
			if err != nil {
				t.Fatal(err)
			}
			pictures = append(pictures, time.Since(at))
		}
	}
	slices.Sort(calls)
	slices.Sort(pictures)
	return calls, pictures
}

// TestFullLink: on a link that carries half of the video, calls are answered and pictures are young, however long it
// lasts. A leaf that carried both would have answered the last call after seconds.
func TestFullLink(t *testing.T) {
	c := &camera{size: 8000, interval: 33 * time.Millisecond, deaf: true} // 2 Mbit/s
	r := start(t, c, newLine(t, 125_000, 70))                             // 1 Mbit/s, and a queue of 0.8 s
	cloud := r.hub.Cloud(t)
	seen := frames(t, cloud)
	hold := cloud.Hold(front, "video", "test")
	defer hold.Close()
	if _, err := seen.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls, pictures := watch(t, cloud, seen, 6*time.Second)
	t.Logf("%d calls: p50 %v, p99 %v; %d pictures: p50 %v, oldest %v; %d key frames asked for", len(calls),
		calls[len(calls)/2], calls[len(calls)*99/100], len(pictures), pictures[len(pictures)/2], pictures[len(pictures)-1],
		c.asked.Load())
	// By now a leaf would be 6 s late with everything. A busy machine is late with some, and not all.
	calls, pictures = watch(t, cloud, seen, time.Second)
	for len(pictures) == 0 {
		calls, pictures = watch(t, cloud, seen, time.Second)
	}
	if calls[0] > 4*time.Second || pictures[0] > 5*time.Second {
		t.Errorf("every call took %v or longer, and every picture was %v old or older", calls[0], pictures[0])
	}
	if c.asked.Load() == 0 {
		t.Error("nobody asked for a key frame")
	}
}

// TestSteers: a camera is told what the link carries, and then no picture is lost.
func TestSteers(t *testing.T) {
	c := &camera{size: 8000, interval: 33 * time.Millisecond}
	r := start(t, c, newLine(t, 125_000, 70))
	cloud := r.hub.Cloud(t)
	seen := frames(t, cloud)
	hold := cloud.Hold(front, "video", "test")
	defer hold.Close()
	hubtest.Await(t, "the camera is limited", func() bool { l := c.limit.Load(); return l > 0 && l < 1_000_000 })
	hubtest.Await(t, "pictures come without a loss", func() bool {
		last := int64(-1)
		for n := 0; n < 30; {
			f, err := seen.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n++; last >= 0 && f.GetSequence() != last+1 {
				return false
			}
			last = f.GetSequence()
		}
		return true
	})
}

// TestHalfDead: a connection that passes nothing is given up, and the stream goes on when the path is back.
func TestHalfDead(t *testing.T) {
	c := &camera{size: 5000, interval: 20 * time.Millisecond}
	l := newLine(t, 0, 10)
	r := start(t, c, l)
	cloud := r.hub.Cloud(t)
	seen := frames(t, cloud)
	hold := cloud.Hold(front, "video", "test")
	defer hold.Close()
	if _, err := seen.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.dead.Store(true)
	begun := time.Now()
	hubtest.Await(t, "the uplink is away", func() bool { return r.state() == devicev1.DeviceState_DEVICE_STATE_AWAY })
	t.Logf("noticed after %v: %s", time.Since(begun), r.uplink.Kit().Device().GetStateReason())
	for _, ok := seen.TryNext(); ok; _, ok = seen.TryNext() { // what came before
	}
	l.dead.Store(false)
	if f, err := seen.Next(t.Context()); err != nil || !f.GetKeyFrame() {
		t.Errorf("it goes on with %v, %v", f.GetSequence(), err)
	}
}
