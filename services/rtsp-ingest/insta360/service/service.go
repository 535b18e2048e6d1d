// Package service serves waldo.insta360.v1.Insta360Service on top of a camera, and brings its events and samples to the
// bus as the streams `insta360-events` and `imu`.
//
// The methods of Service may be called concurrently. Run owns the goroutines; calls end when the camera is closed.
package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	insta360v1 "github.com/waldo-robot/waldo/api/gen/go/waldo/insta360/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// Names of the streams on the bus.
const (
	EventStream = "insta360-events"
	ImuStream   = "imu"
)

// Limits.
const (
	maxLate   = 100 // events that a reader may be late
	maxQueue  = 200 // batches of samples, of which the oldest are lost
	maxStart  = 1_000_000
	maxFiles  = 1000
	someFiles = 100 // without a limit
	maxOffset = 14 * time.Hour
)

// Service is the gRPC service.
type Service struct {
	insta360v1.UnimplementedInsta360ServiceServer

	camera  *insta360.Camera
	events  *stream.Topic[*insta360v1.CameraEvent]
	batches *stream.Topic[*insta360v1.ImuBatch]
	happens *stream.Subscription[insta360.Event]
	samples *stream.Subscription[insta360.Samples]
}

// New returns a service. Its readers get nothing before Run runs.
func New(camera *insta360.Camera) *Service {
	return &Service{
		camera:  camera,
		events:  stream.NewTopic[*insta360v1.CameraEvent](),
		batches: stream.NewTopic[*insta360v1.ImuBatch](),
		happens: camera.Events(stream.DropOldest(maxLate)),
		samples: camera.Samples(stream.DropOldest(maxQueue)),
	}
}

// Attach makes a camera a part of a device, in [device.Kind.New]. The driver calls start before it opens the camera, at
// any rate within its Run; only the first call does something. The service ends with the device, and closes the camera.
func Attach(kit *device.Kit, camera *insta360.Camera) (start func()) {
	s := New(camera)
	insta360v1.RegisterInsta360ServiceServer(kit, s)
	events := device.NewOut[*insta360v1.CameraEvent](kit, EventStream, device.OutOptions{})
	batches := device.NewOut[*insta360v1.ImuBatch](kit, ImuStream, device.OutOptions{})
	var running sync.WaitGroup
	kit.OnStop(func() {
		camera.Close()
		running.Wait()
	})
	return sync.OnceFunc(func() {
		running.Go(func() { s.Run(kit.Epoch(), events.Publish, batches.Publish) })
		context.AfterFunc(kit.Stopping(), camera.Close) // ends calls that stream
	})
}

// Run numbers events and samples, and hands each to callers and to a function, until the camera is closed.
func (s *Service) Run(epoch int64, event func(*insta360v1.CameraEvent), batch func(*insta360v1.ImuBatch)) {
	var running sync.WaitGroup
	running.Go(func() {
		relay(s.happens, s.events, func(e insta360.Event, sequence int64) *insta360v1.CameraEvent {
			return eventMessage(e, epoch, sequence)
		}, event)
	})
	running.Go(func() {
		relay(s.samples, s.batches, func(b insta360.Samples, sequence int64) *insta360v1.ImuBatch {
			return batchMessage(b, epoch, sequence)
		}, batch)
	})
	running.Wait()
}

// relay hands on what comes until it ends. What was lost on the way leaves a gap in the numbers.
func relay[T, M any](from *stream.Subscription[T], topic *stream.Topic[M], message func(T, int64) M, also func(M)) {
	defer from.Close()
	defer topic.Close(nil)
	for sequence := int64(0); ; sequence++ {
		one, err := from.Next(context.Background())
		if err != nil {
			return
		}
		m := message(one, sequence+int64(from.Lost()))
		topic.Publish(m)
		also(m)
	}
}

// GetCameraInfo implements Insta360Service.
func (s *Service) GetCameraInfo(
	ctx context.Context, _ *insta360v1.GetCameraInfoRequest,
) (*insta360v1.GetCameraInfoResponse, error) {
	o, err := s.camera.Info(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &insta360v1.GetCameraInfoResponse{Info: infoMessage(o)}, nil
}

// SyncTime implements Insta360Service.
func (s *Service) SyncTime(ctx context.Context, r *insta360v1.SyncTimeRequest) (*insta360v1.SyncTimeResponse, error) {
	t := time.Now()
	if r.Time != nil {
		if err := r.Time.CheckValid(); err != nil || r.Time.Seconds <= 0 {
			return nil, status.Error(codes.InvalidArgument, "time: it is not after 1970: leave it out for the time of the robot")
		}
		t = r.Time.AsTime().Local()
	}
	if r.UtcOffset != nil {
		offset := r.UtcOffset.AsDuration()
		if r.UtcOffset.CheckValid() != nil || offset.Abs() > maxOffset {
			return nil, status.Errorf(codes.InvalidArgument,
				"utc_offset: use -%v to %v, or leave it out for that of the robot", maxOffset, maxOffset)
		}
		t = t.In(time.FixedZone("", int(offset/time.Second)))
	}
	if err := s.camera.SetTime(ctx, t); err != nil {
		return nil, statusOf(err)
	}
	return &insta360v1.SyncTimeResponse{}, nil
}

// TakePicture implements Insta360Service.
func (s *Service) TakePicture(
	ctx context.Context, _ *insta360v1.TakePictureRequest,
) (*insta360v1.TakePictureResponse, error) {
	if err := s.camera.TakePicture(ctx); err != nil {
		return nil, statusOf(err)
	}
	return &insta360v1.TakePictureResponse{}, nil
}

// StartCapture implements Insta360Service.
func (s *Service) StartCapture(
	ctx context.Context, _ *insta360v1.StartCaptureRequest,
) (*insta360v1.StartCaptureResponse, error) {
	if err := s.camera.StartCapture(ctx); err != nil {
		return nil, statusOf(err)
	}
	return &insta360v1.StartCaptureResponse{}, nil
}

// StopCapture implements Insta360Service.
func (s *Service) StopCapture(
	ctx context.Context, _ *insta360v1.StopCaptureRequest,
) (*insta360v1.StopCaptureResponse, error) {
	f, err := s.camera.StopCapture(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &insta360v1.StopCaptureResponse{File: fileMessage(f)}, nil
}

// GetCaptureStatus implements Insta360Service.
func (s *Service) GetCaptureStatus(
	ctx context.Context, _ *insta360v1.GetCaptureStatusRequest,
) (*insta360v1.GetCaptureStatusResponse, error) {
	c, err := s.camera.CaptureStatus(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &insta360v1.GetCaptureStatusResponse{Status: captureMessage(c)}, nil
}

// ListFiles implements Insta360Service.
func (s *Service) ListFiles(
	ctx context.Context, r *insta360v1.ListFilesRequest,
) (*insta360v1.ListFilesResponse, error) {
	limit := r.Limit
	if limit == 0 {
		limit = someFiles
	}
	switch {
	case r.Start < 0 || r.Start > maxStart:
		return nil, status.Errorf(codes.InvalidArgument, "start: %d is out of range: use 0 to %d", r.Start, maxStart)
	case limit < 0 || limit > maxFiles:
		return nil, status.Errorf(codes.InvalidArgument, "limit: %d is out of range: use 0 to %d", r.Limit, maxFiles)
	}
	files, err := s.camera.Files(ctx, r.Start, limit)
	if err != nil {
		return nil, statusOf(err)
	}
	response := &insta360v1.ListFilesResponse{TotalCount: files.Total}
	for _, uri := range files.URIs {
		response.Files = append(response.Files, &insta360v1.MediaFile{Uri: uri})
	}
	return response, nil
}

// WatchEvents implements Insta360Service.
func (s *Service) WatchEvents(_ *insta360v1.WatchEventsRequest, to insta360v1.Insta360Service_WatchEventsServer) error {
	return forward(to.Context(), s.events, stream.Strict(maxLate), func(e *insta360v1.CameraEvent) error {
		return to.Send(&insta360v1.WatchEventsResponse{Event: e})
	})
}

// StreamImu implements Insta360Service.
func (s *Service) StreamImu(_ *insta360v1.StreamImuRequest, to insta360v1.Insta360Service_StreamImuServer) error {
	return forward(to.Context(), s.batches, stream.DropOldest(maxQueue), func(b *insta360v1.ImuBatch) error {
		return to.Send(&insta360v1.StreamImuResponse{Batch: b})
	})
}

// forward sends what is published until the reader goes or the topic ends.
func forward[M any](ctx context.Context, topic *stream.Topic[M], p stream.Policy, send func(M) error) error {
	from := topic.Subscribe(p)
	defer from.Close()
	for {
		m, err := from.Next(ctx)
		if err != nil {
			return statusOf(err)
		}
		if err := send(m); err != nil {
			return err
		}
	}
}

// statusOf gives an error its gRPC code.
func statusOf(err error) error {
	if refused, ok := errors.AsType[*insta360.CommandError](err); ok && refused.Status != 0 {
		code := codes.FailedPrecondition
		if refused.Status == wire.BadRequest || refused.Status == wire.NotImplemented {
			code = codes.Unimplemented
		}
		return status.Error(code, refused.Error())
	}
	return device.Status(err, map[error]codes.Code{
		insta360.ErrTooMany: codes.ResourceExhausted, stream.ErrOverflow: codes.ResourceExhausted,
	})
}
