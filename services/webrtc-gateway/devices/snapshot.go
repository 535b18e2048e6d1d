package devices

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/turns"
)

// size of a snapshot; see camerav1.CaptureFrameRequest for 0.
type size struct{ width, height int32 }

// Snapshot asks a known camera for one JPEG that is captured after the call. Each camera is asked for one at a time;
// callers waiting for the same size share it, and must not change it. Width and height may be 0, see
// camerav1.CaptureFrameRequest.
func (d *Directory) Snapshot(ctx context.Context, device string, width, height int32) (*mediav1.VideoFrame, error) {
	if err := d.Check(device); err != nil {
		return nil, err
	}
	frame, err := d.queue(device).Do(ctx, size{width, height}, func(ctx context.Context) (*mediav1.VideoFrame, error) {
		camera := camerav1.NewCameraServiceClient(d.conn.Client(bus.Address{Robot: d.robot, Device: device}))
		r, err := camera.CaptureFrame(ctx, &camerav1.CaptureFrameRequest{
			Format: &mediav1.VideoFormat{MediaType: "image/jpeg", WidthPx: width, HeightPx: height},
		})
		return r.GetFrame(), err
	})
	switch {
	case errors.Is(err, turns.ErrBusy):
		return nil, status.Errorf(codes.ResourceExhausted, "snapshots of %s: %v", device, err)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, status.Errorf(codes.DeadlineExceeded, "device %s did not answer in time", device)
	}
	return frame, err
}

// queue returns the queue for snapshots of a device.
func (d *Directory) queue(device string) *turns.Queue[size, *mediav1.VideoFrame] {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.stills[device]
	if q == nil {
		q = &turns.Queue[size, *mediav1.VideoFrame]{}
		d.stills[device] = q
	}
	return q
}
