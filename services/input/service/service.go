// Package service serves waldo.input.v1.InputService on top of a hub. Its methods may be called
// concurrently; it starts no goroutines, and calls end when the hub is closed.
package service

import (
	"context"
	"io/fs"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/input/reports"
	"github.com/waldo-robot/waldo/services/input/source"
)

// Service is the gRPC service.
type Service struct {
	inputv1.UnimplementedInputServiceServer

	hub  *reports.Hub
	list func() ([]source.Info, error)
}

// New returns a service. List lists the devices of the machine, and may be called concurrently.
func New(hub *reports.Hub, list func() ([]source.Info, error)) *Service {
	return &Service{hub: hub, list: list}
}

// GetInput implements InputService.
func (s *Service) GetInput(context.Context, *inputv1.GetInputRequest) (*inputv1.GetInputResponse, error) {
	info, axes, err := s.hub.Info()
	if err != nil {
		return nil, statusOf(err)
	}
	return &inputv1.GetInputResponse{Input: describe(info), Axes: axes}, nil
}

func describe(i source.Info) *inputv1.InputInfo {
	return &inputv1.InputInfo{Path: i.Path, Name: i.Name, Kind: i.Kind, Id: i.ID}
}

// ListInputs implements InputService.
func (s *Service) ListInputs(context.Context, *inputv1.ListInputsRequest) (*inputv1.ListInputsResponse, error) {
	infos, err := s.list()
	if err != nil {
		return nil, statusOf(err)
	}
	response := &inputv1.ListInputsResponse{}
	for _, i := range infos {
		response.Inputs = append(response.Inputs, describe(i))
	}
	return response, nil
}

// GetState implements InputService.
func (s *Service) GetState(context.Context, *inputv1.GetStateRequest) (*inputv1.GetStateResponse, error) {
	state, err := s.hub.State()
	if err != nil {
		return nil, statusOf(err)
	}
	return &inputv1.GetStateResponse{State: state}, nil
}

// StreamReports implements InputService. A caller that does not read at all learns that it was too slow
// when it reads again; until then it costs only the reports that waited for it.
func (s *Service) StreamReports(
	_ *inputv1.StreamReportsRequest, to grpc.ServerStreamingServer[inputv1.StreamReportsResponse],
) error {
	reader := s.hub.Open()
	defer reader.Close()
	if err := to.Send(&inputv1.StreamReportsResponse{Body: &inputv1.StreamReportsResponse_State{State: reader.State}}); err != nil {
		return err
	}
	for {
		report, err := reader.Next(to.Context())
		if err != nil {
			return statusOf(err)
		}
		if err := to.Send(&inputv1.StreamReportsResponse{Body: &inputv1.StreamReportsResponse_Report{Report: report}}); err != nil {
			return err
		}
	}
}

// statusOf gives an error its gRPC code.
func statusOf(err error) error {
	return device.Status(err, map[error]codes.Code{
		reports.ErrClosed:  codes.Unavailable,
		reports.ErrTooSlow: codes.ResourceExhausted,
		fs.ErrPermission:   codes.PermissionDenied,
	})
}
