// Package service serves waldo.camera.v1.CameraService on top of a pipeline. Its methods may be called concurrently; it
// starts no goroutines, and calls end when the pipeline is closed.
package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/turns"
	"github.com/waldo-robot/waldo/video/pipeline"
	"github.com/waldo-robot/waldo/video/pipeline/limits"
	"github.com/waldo-robot/waldo/video/shared"
	"github.com/waldo-robot/waldo/video/source"
)

// captureTimeout ends a CaptureFrame whose caller set no deadline.
const captureTimeout = 5 * time.Second

// Stream is one stream of a camera on the bus.
type Stream struct {
	Name          string // as in [device.NewOut]
	AlternativeTo string // the stream that carries the same pictures for others; empty for the usual one
	Content       pipeline.Stream
}

// Service is the gRPC service. Attach gives it the hardware's controls.
type Service struct {
	camerav1.UnimplementedCameraServiceServer

	pipeline *pipeline.Pipeline
	streams  []Stream
	memory   *shared.Memory

	mu       sync.Mutex
	attached source.Source // nil while the hardware is away
	away     error         // why
}

// New returns a service whose hardware is away. The first of its streams is the usual one; at least one is required.
// Readers on this machine get raw pictures through memory.
func New(p *pipeline.Pipeline, streams []Stream, memory *shared.Memory) *Service {
	return &Service{pipeline: p, streams: streams, memory: memory, away: device.Away(nil)}
}

// Attach sets the source whose controls are served.
func (s *Service) Attach(src source.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attached = src
}

// Detach records that the source is gone, and why.
func (s *Service) Detach(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attached = nil
	if why != nil {
		s.away = device.Away(why)
	}
}

// ListFormats implements CameraService.
func (s *Service) ListFormats(context.Context, *camerav1.ListFormatsRequest) (*camerav1.ListFormatsResponse, error) {
	info, err := s.pipeline.Info()
	if err != nil {
		return nil, s.status(err)
	}
	offered, err := s.pipeline.Offered()
	if err != nil {
		return nil, s.status(err)
	}
	return &camerav1.ListFormatsResponse{NativeFormats: info.Native, CurrentFormat: info.Current,
		OfferedFormats: offered}, nil
}

// CaptureFrame implements CameraService.
func (s *Service) CaptureFrame(ctx context.Context, r *camerav1.CaptureFrameRequest) (*camerav1.CaptureFrameResponse,
	error) {
	want := withDefault(r.GetFormat(), media.JPEG)
	want.FrameRateHz = 0
	if media.InterCoded(want.GetMediaType()) {
		return nil, status.Errorf(codes.InvalidArgument,
			"media_type is %s, must be %s or %s for a single picture; read %s with StreamFrames",
			want.GetMediaType(), media.JPEG, media.Raw, want.GetMediaType())
	}
	ctx, cancel := context.WithTimeout(ctx, captureTimeout)
	defer cancel()
	frame, err := s.pipeline.CaptureOne(ctx, want)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no picture arrived in time: %w", err)
	}
	if err != nil {
		return nil, s.status(err)
	}
	return &camerav1.CaptureFrameResponse{Frame: frame}, nil
}

// withDefault returns a copy of a format with the media type filled in.
func withDefault(f *mediav1.VideoFormat, mediaType string) *mediav1.VideoFormat {
	if f.GetMediaType() != "" {
		mediaType = f.GetMediaType()
	}
	return &mediav1.VideoFormat{
		MediaType: mediaType, PixelFormat: f.GetPixelFormat(),
		WidthPx: f.GetWidthPx(), HeightPx: f.GetHeightPx(), FrameRateHz: f.GetFrameRateHz(),
	}
}

// RequestKeyFrame implements CameraService.
func (s *Service) RequestKeyFrame(ctx context.Context,
	r *camerav1.RequestKeyFrameRequest) (*camerav1.RequestKeyFrameResponse, error) {
	if err := s.present(); err != nil {
		return nil, err
	}
	wanted, err := s.stream(r.GetStream())
	if err != nil {
		return nil, err
	}
	if err := s.pipeline.RequestKeyFrame(ctx, wanted.Content); err != nil {
		return nil, s.status(err)
	}
	return &camerav1.RequestKeyFrameResponse{}, nil
}

// stream finds a stream by its name; an empty name means the usual one.
func (s *Service) stream(name string) (Stream, error) {
	if name == "" {
		return s.streams[0], nil
	}
	names := make([]string, 0, len(s.streams))
	for _, one := range s.streams {
		if one.Name == name {
			return one, nil
		}
		names = append(names, one.Name)
	}
	return Stream{}, status.Errorf(codes.NotFound, "stream %q does not exist, the camera has %s", name,
		strings.Join(names, ", "))
}

// present fails while the hardware is away.
func (s *Service) present() error {
	_, err := s.pipeline.Info()
	return s.status(err)
}

// status is device.Status, with the reason when the hardware is away.
func (s *Service) status(err error) error {
	if errors.Is(err, device.ErrAway) {
		s.mu.Lock()
		defer s.mu.Unlock()
		err = s.away
	}
	return device.Status(err, statusCodes)
}

var statusCodes = map[error]codes.Code{
	media.ErrFormat:       codes.InvalidArgument,
	pipeline.ErrTooMany:   codes.ResourceExhausted,
	turns.ErrBusy:         codes.ResourceExhausted,
	pipeline.ErrNative:    codes.FailedPrecondition,
	pipeline.ErrNoBitrate: codes.FailedPrecondition,
	limits.ErrTooMany:     codes.ResourceExhausted,
	source.ErrNoControl:   codes.NotFound,
	source.ErrOutOfRange:  codes.OutOfRange,
	source.ErrReadOnly:    codes.FailedPrecondition,
	source.ErrNoKeyFrame:  codes.FailedPrecondition,
}
