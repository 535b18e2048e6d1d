package device

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	longestHold   = time.Minute
	longestHolder = 128
)

// service is the DeviceService that every device serves.
type service struct {
	devicev1.UnimplementedDeviceServiceServer
	kit *Kit
}

func (s *service) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return &devicev1.GetDeviceResponse{Device: s.kit.Device()}, nil
}

func (s *service) WatchDevice(_ *devicev1.WatchDeviceRequest,
	to grpc.ServerStreamingServer[devicev1.WatchDeviceResponse]) error {
	now, changes := s.kit.watch()
	defer changes.Close()
	if err := to.Send(&devicev1.WatchDeviceResponse{Device: now}); err != nil {
		return err
	}
	for d, err := range changes.All(to.Context()) {
		if err != nil {
			return status.FromContextError(err).Err()
		}
		if err := to.Send(&devicev1.WatchDeviceResponse{Device: d}); err != nil {
			return err
		}
	}
	return status.Error(codes.Unavailable, ErrStopping.Error())
}

func (s *service) HoldStream(_ context.Context, r *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse, error) {
	o := s.kit.findOut(r.GetStream())
	if o == nil {
		return nil, status.Errorf(codes.NotFound, "stream: %s has no stream %q%s", s.kit.address, plain(r.GetStream()),
			s.known())
	}
	if n := len(r.GetHolder()); n < 1 || n > longestHolder {
		return nil, status.Errorf(codes.InvalidArgument, "holder: has %d bytes: use 1 to %d", n, longestHolder)
	}
	if !text.IsPrintable(r.GetHolder()) {
		return nil, status.Errorf(codes.InvalidArgument, "holder: %q: use printable characters only", r.GetHolder())
	}
	ttl := r.GetTtl().AsDuration()
	if ttl < 0 || ttl > longestHold {
		return nil, status.Errorf(codes.InvalidArgument, "ttl: %v is out of range: use 0 to %v", ttl, longestHold)
	}
	switch err := o.holds.renew(r.GetHolder(), ttl); {
	case errors.Is(err, errTooManyHolders):
		return nil, status.Errorf(codes.ResourceExhausted, "stream %q has %d holders already", o.name, maxHolders)
	case err != nil:
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &devicev1.HoldStreamResponse{Epoch: s.kit.Epoch(), Subject: s.kit.address.Out(o.name)}, nil
}

func (s *service) Acknowledge(_ context.Context, r *devicev1.AcknowledgeRequest) (*devicev1.AcknowledgeResponse,
	error) {
	switch err := s.kit.readers.Acknowledge(r.GetCall(), r.GetMessages()); {
	case errors.Is(err, inflight.ErrNoCall):
		return nil, status.Errorf(codes.NotFound, "call: %v", err)
	case errors.Is(err, inflight.ErrNoWindow):
		return nil, status.Errorf(codes.FailedPrecondition, "call: %v", err)
	case err != nil:
		return nil, status.Errorf(codes.InvalidArgument, "messages: %v", err)
	}
	return &devicev1.AcknowledgeResponse{}, nil
}

func (s *service) GetDescriptors(context.Context, *devicev1.GetDescriptorsRequest) (*devicev1.GetDescriptorsResponse,
	error) {
	return s.kit.describe(), nil
}

// known ends an error about a stream that there is not.
func (s *service) known() string {
	names := s.kit.streamNames()
	if len(names) == 0 {
		return ", nor any other"
	}
	return " (known: " + strings.Join(names, ", ") + ")"
}
