package uplink_test

import (
	"strings"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// frames subscribes to the camera at the hub.
func frames(t testing.TB, c *bus.ConnCloser) *bus.Subscription[*mediav1.VideoFrame] {
	t.Helper()
	s, err := bus.Subscribe[*mediav1.VideoFrame](c.Conn, front.Out("video"), stream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestForwards: frames come while somebody at the hub holds the stream, in order from a key frame on, and end with the
// hold.
func TestForwards(t *testing.T) {
	c := &camera{size: 20_000, interval: 20 * time.Millisecond}
	r := start(t, c, nil)
	cloud := r.hub.Cloud(t)
	seen := frames(t, cloud)
	hold := cloud.Hold(front, "video", "test")
	last := int64(-1)
	for range 30 {
		f, err := seen.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if last < 0 && !f.GetKeyFrame() || last >= 0 && f.GetSequence() != last+1 {
			t.Errorf("frame %d, key %v, follows %d", f.GetSequence(), f.GetKeyFrame(), last)
		}
		last = f.GetSequence()
	}
	hold.Close()
	hubtest.Await(t, "the camera is free", func() bool { return !c.out.Held() })
}

// TestSpeaks: what people at the hub say reaches the device.
func TestSpeaks(t *testing.T) {
	c := &camera{size: 1000, interval: time.Second}
	r := start(t, c, nil)
	cloud := r.hub.Cloud(t)
	hubtest.Await(t, "the robot hears it", func() bool {
		if err := cloud.Publish(front.In("speaker"), &mediav1.AudioFrame{Sequence: 7}); err != nil {
			t.Fatal(err)
		}
		select {
		case f := <-c.heard:
			return f.GetSequence() == 7
		case <-time.After(20 * time.Millisecond):
			return false
		}
	})
}

// TestMistakes: the state of the uplink tells what is wrong.
func TestMistakes(t *testing.T) {
	c := &camera{size: 1000, interval: time.Second}
	r := start(t, c, nil)
	for _, tt := range []struct{ robot, media, want string }{
		{"arm", r.hub.Server.URL(), `takes this robot's key for that of "rover", but it is arm`},
		{"rover", r.hub.Server.LeafURL(), "is not for clients"},
		{"rover", "nats://127.0.0.1:1", "cannot be reached"},
		{"rover", strings.Replace(r.hub.Server.URL(), "nats", "tls", 1), "does not offer TLS"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			r.awaitReason(t, tt.robot, r.runUplink(t, tt.robot, tt.media).Kit().Device, tt.want)
		})
	}
}

// awaitReason returns when a device tells a reason.
func (r *rig) awaitReason(t *testing.T, robot string, describe func() *devicev1.Device, want string) {
	t.Helper()
	var said string
	defer func() { t.Logf("%s said %q", robot, said) }()
	hubtest.Await(t, "the uplink says "+want, func() bool {
		d := describe()
		said = d.GetStateReason()
		return d.GetState() == devicev1.DeviceState_DEVICE_STATE_AWAY && strings.Contains(said, want)
	})
}

// TestHubRestarts: the stream goes on with a key frame.
func TestHubRestarts(t *testing.T) {
	c := &camera{size: 5000, interval: 20 * time.Millisecond}
	r := start(t, c, nil)
	cloud := r.hub.Cloud(t)
	seen := frames(t, cloud)
	hold := cloud.Hold(front, "video", "test")
	defer hold.Close()
	if _, err := seen.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.hub.Server.Close()
	hubtest.Await(t, "the gateway has lost the hub", func() bool { return !cloud.Connected() })
	for _, ok := seen.TryNext(); ok; _, ok = seen.TryNext() { // what came before
	}
	r.hub.Run(t)
	begun := time.Now()
	defer func() { t.Logf("the picture was back %v after the hub", time.Since(begun).Round(time.Millisecond)) }()
	if f, err := seen.Next(t.Context()); err != nil || !f.GetKeyFrame() {
		t.Errorf("it goes on with %v, %v", f, err)
	}
}
