package devices_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// limited is a camera that takes limits, of one stream.
type limited struct {
	camerav1.UnimplementedCameraServiceServer
	asked chan *camerav1.LimitBitrateRequest
}

func (c *limited) LimitBitrate(_ context.Context, r *camerav1.LimitBitrateRequest) (*camerav1.LimitBitrateResponse,
	error) {
	if r.GetStream() != "video" {
		return nil, status.Error(codes.FailedPrecondition, "the hardware compresses it")
	}
	c.asked <- r
	return &camerav1.LimitBitrateResponse{BitrateBps: r.GetBitrateBps(), ConfiguredBps: 2_000_000}, nil
}

func TestLimit(t *testing.T) {
	d, conn, _ := start(t)
	service, err := conn.Serve(bus.ServiceConfig{Address: bus.Address{Robot: "demo", Device: "front"}, Kind: "camera",
		Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	camera := &limited{asked: make(chan *camerav1.LimitBitrateRequest, 3)}
	if err := service.RegisterService(&camerav1.CameraService_ServiceDesc, camera); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	front := tracks.Stream{Device: "front", Name: "video"}
	var holders []string
	for _, bps := range []int64{400_000, 500_000} {
		configured, err := d.Limit(t.Context(), front, bps, 3*time.Second)
		if err != nil || configured != 2_000_000 {
			t.Fatalf("configured %d, %v", configured, err)
		}
		r := <-camera.asked
		if r.GetBitrateBps() != bps || r.GetTtl().AsDuration() != 3*time.Second {
			t.Errorf("the camera was told %v", r)
		}
		holders = append(holders, r.GetHolder())
	}
	if err := d.Pause(t.Context(), front, 400*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if r := <-camera.asked; r.GetBitrateBps() != 0 || r.GetTtl().AsDuration() != 400*time.Millisecond ||
		r.GetHolder() == holders[0] {
		t.Errorf("the camera was told %v", r)
	}
	if holders[0] != holders[1] || len(holders[0]) < 10 {
		t.Errorf("holders %q", holders)
	}
	if _, err := d.Limit(t.Context(), tracks.Stream{Device: "front", Name: "video-h265"}, 400_000,
		time.Second); status.Code(err) != codes.FailedPrecondition {
		t.Error(err)
	}
	if _, err := d.Limit(t.Context(), tracks.Stream{Device: "rear", Name: "video"}, 400_000,
		time.Second); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
}

func TestSmall(t *testing.T) {
	d, conn, _ := start(t)
	h264, vp8 := []string{"video/H264"}, []string{"video/VP8"}
	err := conn.Publish((bus.Address{Robot: "demo", Device: "front"}).State(),
		&devicev1.Device{Robot: "demo", Name: "front", Streams: []*devicev1.StreamInfo{
			{Name: "video", MediaTypes: h264}, {Name: "video-vp8", MediaTypes: vp8, AlternativeTo: "video"},
			{Name: "video-h265", MediaTypes: []string{"video/H265"}, AlternativeTo: "video"},
			{Name: "depth", MediaTypes: vp8}, {Name: "later"},
			{Name: "video-small", MediaTypes: h264, AlternativeTo: "video", Small: true},
			{Name: "video-vp8-small", MediaTypes: vp8, AlternativeTo: "video", Small: true},
		}})
	if err != nil {
		t.Fatal(err)
	}
	await(t, d, "front is there", func(gone map[string]bool) bool { _, known := gone["front"]; return known })
	for name, want := range map[string]string{"video": "video-small", "video-vp8": "video-vp8-small", "video-h265": "",
		"depth": "", "later": "", "video-small": "", "none": ""} {
		got, ok := d.Small(tracks.Stream{Device: "front", Name: name})
		if got.Name != want || ok != (want != "") {
			t.Errorf("the small version of %s is %v, %v", name, got, ok)
		}
	}
	if _, ok := d.Small(tracks.Stream{Device: "rear", Name: "video"}); ok {
		t.Error("an unknown camera has a small version")
	}
}
