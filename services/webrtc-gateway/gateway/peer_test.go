package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/peer"
	pkgstream "github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// dial connects a Go peer, and waits until it is live.
func (w *world) dial() (context.Context, *peer.Robot) {
	w.t.Helper()
	return w.dialAs("test")
}

// dialAs connects a Go peer with a name.
func (w *world) dialAs(name string) (context.Context, *peer.Robot) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	w.t.Cleanup(cancel)
	robot, err := peer.Dial(ctx, w.base, peer.Options{Name: name, Log: testLog(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(robot.Close)
	if err := robot.Wait(ctx); err != nil {
		w.t.Fatal(err)
	}
	return ctx, robot
}

// onBus subscribes to what the camera `front` publishes.
func (w *world) onBus() *bus.Subscription[*mediav1.VideoFrame] {
	w.t.Helper()
	conn, err := bus.Connect(bus.Config{URL: w.bus.URL()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(conn.Close)
	front := bus.Address{Robot: "demo", Device: "front"}
	frames, err := bus.Subscribe[*mediav1.VideoFrame](conn.Conn, front.Out("video"), pkgstream.DropOldest(10_000))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(frames.Close)
	if err := conn.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return frames
}

// TestPeerGetsTheFramesOfTheBus: a Go peer gets the frames that the device publishes, and knows which they are.
func TestPeerGetsTheFramesOfTheBus(t *testing.T) {
	w := newWorld(t, nil)
	published := w.onBus()
	cam := w.camera(fakecam.Config{FrameBytes: 5000, KeyFrameBytes: 100_000})
	ctx, robot := w.dial()
	check := func(n int) {
		t.Helper()
		for f, err := range robot.Camera("front").Frames(ctx, 100) {
			if err != nil {
				t.Fatal(err)
			}
			want, err := published.Next(ctx)
			for err == nil && (want.GetEpoch() != f.GetEpoch() || want.GetSequence() < f.GetSequence()) {
				want, err = published.Next(ctx)
			}
			switch {
			case err != nil:
				t.Fatal(err)
			case f.GetSequence() != want.GetSequence() || f.GetKeyFrame() != want.GetKeyFrame() ||
				!bytes.Equal(f.GetData(), want.GetData()) || f.GetFormat().GetMediaType() != want.GetFormat().GetMediaType():
				t.Fatalf("frame %d, key %v, %d bytes of %v, differs from the one of the device, %d, key %v, %d bytes of %v",
					f.GetSequence(), f.GetKeyFrame(), len(f.GetData()), f.GetFormat(), want.GetSequence(), want.GetKeyFrame(),
					len(want.GetData()), want.GetFormat())
			case !f.GetCaptureTime().AsTime().Equal(want.GetCaptureTime().AsTime().Truncate(time.Microsecond)):
				t.Fatalf("captured %v, want %v", f.GetCaptureTime().AsTime(), want.GetCaptureTime().AsTime())
			}
			if n--; n == 0 {
				return
			}
		}
	}
	check(30)
	cam.Stop()
	w.camera(fakecam.Config{FrameBytes: 5000, KeyFrameBytes: 100_000})
	check(30)
}

// decodable checks that frames build on each other.
type decodable struct {
	t    *testing.T
	last *mediav1.VideoFrame
}

func (d *decodable) see(f *mediav1.VideoFrame) {
	d.t.Helper()
	follows := d.last != nil && f.GetEpoch() == d.last.GetEpoch() && f.GetSequence() == d.last.GetSequence()+1
	if !f.GetKeyFrame() && !follows {
		d.t.Fatalf("frame %d of %d follows %d of %d, and is no key frame", f.GetSequence(), f.GetEpoch(),
			d.last.GetSequence(), d.last.GetEpoch())
	}
	d.last = f
}

// TestManyReadersOfAPeer: the frames of a camera travel once, and each reader begins with a key frame.
func TestManyReadersOfAPeer(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{})
	ctx, robot := w.dial()
	camera := robot.Camera("front")
	for range 3 { // those who come later begin with a key frame, too
		next, stop := pull(camera.Frames(ctx, 8))
		defer stop()
		d := decodable{t: t}
		for range 5 {
			f, err := next()
			if err != nil {
				t.Fatal(err)
			}
			d.see(f)
		}
	}
	if n := cam.Holders(); n != 1 {
		t.Errorf("the camera is held %d times", n)
	}
	if n := cam.KeyRequests(); n > 6 {
		t.Errorf("3 readers asked for %d key frames", n)
	}
}

// TestSlowReaderOfAPeer: who reads slowly loses frames, up to the next key frame, which one that keeps up has.
func TestSlowReaderOfAPeer(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{FrameRate: 60})
	ctx, robot := w.dial()
	slow, fast := robot.Camera("front"), robot.Camera("front")
	next, stop := pull(fast.Frames(ctx, 100))
	defer stop()
	fastly := decodable{t: t}
	slowly := decodable{t: t}
	onlyFast := map[int64]bool{}          // the frames that the fast reader has, and the slow one has not had
	skipped := func(next int64) (n int) { // of those, the ones that it will never have
		for sequence := range onlyFast {
			if sequence < next {
				n++
			}
		}
		return n
	}
	for f, err := range slow.Frames(ctx, 2) {
		if err != nil {
			t.Fatal(err)
		}
		slowly.see(f)
		delete(onlyFast, f.GetSequence())
		for range 10 {
			f, err := next()
			if err != nil {
				t.Fatal(err)
			}
			fastly.see(f)
			onlyFast[f.GetSequence()] = true
		}
		if slow.Dropped() >= 20 && skipped(f.GetSequence()) >= 20 {
			break
		}
	}
	if n, more := fast.Dropped(), slow.Dropped(); n >= more { // what is lost on the way is lost to both
		t.Errorf("the fast reader lost %d frames, the slow one %d", n, more)
	}
	latest, err := slow.Latest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again, err := slow.Latest(ctx)
	if err != nil || again == latest {
		t.Errorf("the same frame twice, or %v", err)
	}
}

// TestPeerOfADeviceThatIsNotThere: an error says that there is no such device, and a reader that goes on gets its
// frames when it comes.
func TestPeerOfADeviceThatIsNotThere(t *testing.T) {
	w := newWorld(t, nil)
	ctx, robot := w.dial()
	missing := 0
	for f, err := range robot.Camera("front").Frames(ctx, 8) {
		switch {
		case err == nil:
			if missing == 0 || f.GetSequence() > 1000 {
				t.Errorf("frame %d after %d errors", f.GetSequence(), missing)
			}
			return
		case status.Code(err) != codes.NotFound:
			t.Fatal(err)
		case missing == 0:
			w.camera(fakecam.Config{})
		}
		missing++
	}
}

// TestPeerWithAToken: one with the token is let in, and one without is told.
func TestPeerWithAToken(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Gateway.Token = "a token of some length" })
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	for token, want := range map[string]peer.State{"a token of some length": peer.Live, "": peer.Refused,
		"another token": peer.Refused} {
		robot, err := peer.Dial(ctx, w.base, peer.Options{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		err = robot.Wait(ctx)
		if got := robot.State(); got.State != want || (err == nil) != (want == peer.Live) {
			t.Errorf("token %q: %s, %v; want %s", token, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "token") {
			t.Errorf("token %q: the error says nothing of it: %v", token, err)
		}
		robot.Close()
		if got := robot.State(); got.State != peer.Closed {
			t.Errorf("closed: %s", got)
		}
	}
}

// TestCloseEndsReaders: whoever reads learns that the robot was closed.
func TestCloseEndsReaders(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	ctx, robot := w.dial()
	read := make(chan error, 3)
	go func() { read <- last(robot.Camera("front").Frames(ctx, 1)) }()
	go func() { read <- last(robot.Stream("front", "nothing").JSON(ctx, 1)) }()
	topic := robot.Topic("chat")
	defer topic.Close()
	go func() { read <- last(topic.Messages(ctx, 1)) }()
	if _, err := robot.Camera("front").Latest(ctx); err != nil {
		t.Fatal(err)
	}
	robot.Close()
	for range cap(read) {
		if err := <-read; !errors.Is(err, peer.ErrClosed) {
			t.Errorf("read: %v", err)
		}
	}
	if err := last(robot.Camera("front").Frames(ctx, 1)); !errors.Is(err, peer.ErrClosed) {
		t.Errorf("read afterwards: %v", err)
	}
}
