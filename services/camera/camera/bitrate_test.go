package camera

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// TestLimitBitrate limits streams over the bus, as the gateway does.
func TestLimitBitrate(t *testing.T) {
	config := Defaults()
	config.Width, config.Height = 1280, 720
	w := start(t, Kind(), config)
	w.await(t, "ready", w.state(ready))
	limit := func(stream string, bps int64, ttl time.Duration) (inForce, configured int64) {
		t.Helper()
		r, err := w.onBus.LimitBitrate(t.Context(), &camerav1.LimitBitrateRequest{Stream: stream, Holder: "test",
			BitrateBps: bps, Ttl: durationpb.New(ttl)})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetBitrateBps(), r.GetConfiguredBps()
	}
	read := func(name string, until func(*mediav1.VideoFrame) bool) {
		t.Helper()
		sub, err := bus.Subscribe[*mediav1.VideoFrame](w.conn.Conn, w.address.Out(name), stream.DropOldest(1000))
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		defer w.conn.Hold(w.address, name, "test").Close()
		for done := false; !done; {
			f, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			done = until(f)
		}
	}
	if a, b := limit("video-vp8-small", 10_000_000, time.Second); a != 350_000 || b != 350_000 {
		t.Errorf("in force of the small stream: %d of %d", a, b)
	}
	if a, b := limit("", 0, time.Second); a != 0 || b != 2_000_000 {
		t.Errorf("paused: %d of %d", a, b)
	}
	// Smaller pictures begin with a key frame, and their numbers go on.
	last := int64(-1)
	read("video", func(f *mediav1.VideoFrame) bool {
		if last >= 0 && f.GetSequence() != last+1 {
			t.Errorf("number %d follows %d", f.GetSequence(), last)
		}
		if a, b := limit("video", 300_000, 10*time.Second); a != 300_000 || b != 2_000_000 {
			t.Errorf("in force: %d of %d", a, b)
		}
		last = f.GetSequence()
		small := f.GetFormat().GetHeightPx() == 360
		if small && !f.GetKeyFrame() {
			t.Error("another size does not begin with a key frame")
		}
		return small
	})
	if n := w.metric(t, `waldo_camera_stream_resizes_total{media_type="video/H264",size="usual"}`); n != 1 {
		t.Errorf("the metrics count %v changes of size", n)
	}
	if a, _ := limit("video", 0, 0); a != 2_000_000 {
		t.Errorf("in force after the end: %d", a)
	}
	read("video-small", func(f *mediav1.VideoFrame) bool {
		if f.GetFormat().GetHeightPx() != 360 || f.GetFormat().GetFrameRateHz() != 15 {
			t.Errorf("small pictures: %v", f.GetFormat())
		}
		return f.GetSequence() == 15
	})
}

func TestLimitsThatCannotBe(t *testing.T) {
	w := start(t, Kind(), small())
	w.await(t, "ready", w.state(ready))
	for name, tt := range map[string]struct {
		request *camerav1.LimitBitrateRequest
		want    codes.Code
		text    string
	}{
		"no such stream": {&camerav1.LimitBitrateRequest{Stream: "film", Holder: "a", BitrateBps: 100_000,
			Ttl: durationpb.New(time.Second)}, codes.NotFound, "the camera has video, video-vp8"},
		"nobody": {&camerav1.LimitBitrateRequest{BitrateBps: 100_000, Ttl: durationpb.New(time.Second)},
			codes.InvalidArgument, "holder has 0 characters"},
		"for long": {&camerav1.LimitBitrateRequest{Holder: "a", BitrateBps: 100_000, Ttl: durationpb.New(11 * time.Second)},
			codes.InvalidArgument, "ttl is 11s"},
		"no duration": {&camerav1.LimitBitrateRequest{Holder: "a", Ttl: &durationpb.Duration{Seconds: 1, Nanos: -1}},
			codes.InvalidArgument, "ttl is not a duration"},
		"too little": {&camerav1.LimitBitrateRequest{Holder: "a", BitrateBps: 49_999, Ttl: durationpb.New(time.Second)},
			codes.OutOfRange, "bitrate_bps is 49999"},
		"negative": {&camerav1.LimitBitrateRequest{Holder: "a", BitrateBps: -1, Ttl: durationpb.New(time.Second)},
			codes.OutOfRange, "bitrate_bps is -1"},
		"too much": {&camerav1.LimitBitrateRequest{Holder: "a", BitrateBps: 50_000_001, Ttl: durationpb.New(time.Second)},
			codes.OutOfRange, "must be 0 for a pause, or 50000 to 50000000"},
		"pictures alone": {&camerav1.LimitBitrateRequest{Stream: "video-jpeg", Holder: "a", BitrateBps: 100_000,
			Ttl: durationpb.New(time.Second)}, codes.FailedPrecondition, "limit one of video/H264 or video/VP8"},
	} {
		_, err := w.camera.LimitBitrate(t.Context(), tt.request)
		if status.Code(err) != tt.want || !strings.Contains(fmt.Sprint(err), tt.text) {
			t.Errorf("%s: got %v, want %v with %q", name, err, tt.want, tt.text)
		}
	}
}
