package devices_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// slowCamera takes a picture when the test lets it.
type slowCamera struct {
	camerav1.UnimplementedCameraServiceServer
	entered chan struct{}
	release chan struct{}
	running atomic.Int32
	most    atomic.Int32
}

func (c *slowCamera) CaptureFrame(ctx context.Context,
	r *camerav1.CaptureFrameRequest) (*camerav1.CaptureFrameResponse, error) {
	n := c.running.Add(1)
	defer c.running.Add(-1)
	c.most.Store(max(n, c.most.Load()))
	select {
	case c.entered <- struct{}{}:
	default:
	}
	select {
	case <-c.release:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &camerav1.CaptureFrameResponse{Frame: &mediav1.VideoFrame{Format: r.GetFormat()}}, nil
}

func serve(t *testing.T, conn *bus.Conn, device string) *slowCamera {
	t.Helper()
	c := &slowCamera{entered: make(chan struct{}, 1), release: make(chan struct{})}
	s, err := conn.Serve(bus.ServiceConfig{Address: bus.Address{Robot: "demo", Device: device}, Kind: "camera",
		Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.RegisterService(&camerav1.CameraService_ServiceDesc, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSnapshotsAreTakenOneAtATime(t *testing.T) {
	d, conn, _ := start(t, &devicev1.Device{Name: "front"}, &devicev1.Device{Name: "rear"})
	front, rear := serve(t, conn, "front"), serve(t, conn, "rear")
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var callers sync.WaitGroup
	for i := range 60 {
		callers.Go(func() {
			width := int32(100 + i%3)
			if f, err := d.Snapshot(ctx, "front", width, 0); err != nil || f.GetFormat().GetWidthPx() != width {
				t.Errorf("%v, %v", f, err)
			}
		})
	}
	<-front.entered
	close(rear.release) // one camera does not wait for the other
	if _, err := d.Snapshot(ctx, "rear", 0, 0); err != nil {
		t.Error(err)
	}
	close(front.release)
	callers.Wait()
	if n := front.most.Load(); n != 1 {
		t.Errorf("the camera made %d pictures at a time", n)
	}
}
