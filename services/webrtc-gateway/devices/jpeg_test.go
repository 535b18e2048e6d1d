package devices_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// TestJPEG: which stream of a device carries JPEG, if it is a camera.
func TestJPEG(t *testing.T) {
	const in, out = devicev1.StreamDirection_STREAM_DIRECTION_IN, devicev1.StreamDirection_STREAM_DIRECTION_OUT
	jpeg, h264 := []string{"image/jpeg"}, []string{"video/H264"}
	d, conn, _ := start(t, &devicev1.Device{Name: "late", Kind: "camera"})
	for name, tt := range map[string]struct {
		streams []*devicev1.StreamInfo
		want    string // with a code, what the error says
		code    codes.Code
	}{
		"front": {[]*devicev1.StreamInfo{
			{Name: "depth", Direction: out, MediaTypes: jpeg}, {Name: "video", Direction: out, MediaTypes: h264},
			{Name: "video-jpeg", Direction: out, MediaTypes: jpeg, AlternativeTo: "video"}}, "video-jpeg", codes.OK},
		"webcam": {[]*devicev1.StreamInfo{{Name: "video", Direction: out, MediaTypes: jpeg}}, "video", codes.OK},
		"old": {[]*devicev1.StreamInfo{
			{Name: "video", Direction: out, MediaTypes: h264}, {Name: "video-jpeg", Direction: out, AlternativeTo: "video"},
		}, "old has no JPEG at present, but video/H264: use WHEP", codes.FailedPrecondition},
		"motors": {[]*devicev1.StreamInfo{{Name: "rx", Direction: out}},
			"motors is not a camera: it is of the kind thing", codes.NotFound},
		"screen": {[]*devicev1.StreamInfo{{Name: "video", Direction: in, MediaTypes: jpeg}}, "is not a camera",
			codes.NotFound},
		"late": {nil, "video-jpeg", codes.OK}, // says nothing yet
	} {
		if tt.streams != nil {
			if err := conn.Publish((bus.Address{Robot: "demo", Device: name}).State(),
				&devicev1.Device{Robot: "demo", Name: name, Kind: "thing", Streams: tt.streams}); err != nil {
				t.Fatal(err)
			}
		}
		await(t, d, name+" is there", func(gone map[string]bool) bool {
			g, known := gone[name]
			return known && (!g || name == "late")
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		got, err := d.JPEG(ctx, name)
		cancel()
		if err != nil {
			got = err.Error()
		}
		if status.Code(err) != tt.code || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q with %v", name, got, tt.want, tt.code)
		}
	}
	if _, err := d.JPEG(t.Context(), "rear"); status.Code(err) != codes.NotFound ||
		!strings.Contains(err.Error(), "front") {
		t.Errorf("a stranger: %v", err)
	}
}

// TestJPEGIsAwaited: a device that is expected may say a moment later what it has.
func TestJPEGIsAwaited(t *testing.T) {
	d, conn, _ := start(t, &devicev1.Device{Name: "front", Kind: "camera"})
	got := make(chan string, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		name, _ := d.JPEG(ctx, "front")
		got <- name
	}()
	for _, streams := range [][]*devicev1.StreamInfo{
		{{Name: "video", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT}}, // not known yet
		{{Name: "video", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT, MediaTypes: []string{"image/jpeg"}}},
	} {
		if err := conn.Publish((bus.Address{Robot: "demo", Device: "front"}).State(),
			&devicev1.Device{Robot: "demo", Name: "front", Streams: streams}); err != nil {
			t.Fatal(err)
		}
	}
	if name := <-got; name != "video" {
		t.Errorf("%q carries JPEG, want video", name)
	}
}
