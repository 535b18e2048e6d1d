// Package service serves waldo.serial.v1.SerialService on top of a board. Its methods may be called concurrently; streams end when the board is
// closed. The only goroutines are those of Connect, which end with their call; [Service.Close] waits for them.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/serial/board"
	"github.com/waldo-robot/waldo/services/serial/codec"
	"github.com/waldo-robot/waldo/services/serial/port"
)

// Arbiter judges commands; package actuator has one.
type Arbiter interface {
	// Submit judges a command and has it carried out if it is accepted. Its error is a gRPC status.
	Submit(h *controlv1.CommandHeader, neutral bool, carryOut func(expiry time.Time)) (*controlv1.CommandReport, error)
}

// Config is what a service works on. Arbiter and Safe are nil for a board that moves nothing.
type Config struct {
	Board   *board.Board
	Writer  codec.Writer
	Port    *serialv1.Port // as GetPort tells it; never changed
	Arbiter Arbiter
	Safe    []byte // the payload that is neutral
}

// Service is the gRPC service.
type Service struct {
	serialv1.UnimplementedSerialServiceServer
	Config
	receivers sync.WaitGroup // of Connect
}

// New returns a service.
func New(c Config) *Service { return &Service{Config: c} }

// Close returns when nothing runs any more. All calls must have ended before.
func (s *Service) Close() { s.receivers.Wait() }

// GetPort implements SerialService.
func (s *Service) GetPort(context.Context, *serialv1.GetPortRequest) (*serialv1.GetPortResponse, error) {
	return &serialv1.GetPortResponse{Port: s.Port}, nil
}

// StreamMessages implements SerialService.
func (s *Service) StreamMessages(_ *serialv1.StreamMessagesRequest, to grpc.ServerStreamingServer[serialv1.StreamMessagesResponse]) error {
	return s.forward(to.Context(), s.Board.Subscribe(), func(m *serialv1.SerialMessage, dropped int64) error {
		return to.Send(&serialv1.StreamMessagesResponse{Message: m, DroppedCount: dropped})
	})
}

// forward sends messages until ctx ends or the board is closed, and closes the subscription.
func (s *Service) forward(
	ctx context.Context, messages *stream.Subscription[*serialv1.SerialMessage], send func(m *serialv1.SerialMessage, dropped int64) error,
) error {
	defer func() {
		messages.Close()
		s.Board.Lost(messages.Lost())
	}()
	for m, err := range messages.All(ctx) {
		if err != nil {
			return failure(err)
		}
		if err := send(m, int64(messages.Lost())); err != nil {
			return err
		}
	}
	return status.Error(codes.Unavailable, "the device is stopping")
}

// WriteMessage implements SerialService.
func (s *Service) WriteMessage(ctx context.Context, r *serialv1.WriteMessageRequest) (*serialv1.WriteMessageResponse, error) {
	report, err := s.write(ctx, r)
	if err != nil {
		return nil, err
	}
	return &serialv1.WriteMessageResponse{Report: report}, nil
}

// write writes one message, by whichever way the board takes. A refused command has both a report and an error.
func (s *Service) write(ctx context.Context, r *serialv1.WriteMessageRequest) (*controlv1.CommandReport, error) {
	payload, err := s.Writer.Write(r)
	if err != nil {
		return nil, failure(err)
	}
	if s.Arbiter != nil {
		return s.Arbiter.Submit(r.GetControl(), s.Writer.Same(payload, s.Safe), func(expiry time.Time) { s.Board.Command(payload, expiry) })
	}
	if r.GetControl() != nil {
		return nil, status.Error(codes.InvalidArgument, "control: this board moves nothing, so there is no lease on it: leave control out")
	}
	return nil, failure(s.Board.Write(ctx, payload))
}

// failure gives an error its gRPC code; it is the one place that does. Those of the arbiter have theirs already.
func failure(err error) error {
	var wrong *codec.MessageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return status.Error(codes.InvalidArgument, wrong.Error())
	case errors.Is(err, port.ErrAway), errors.Is(err, io.EOF):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, board.ErrFull):
		return status.Error(codes.ResourceExhausted, err.Error()+": it is slower than they come")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the board did not take the message in time; it is not written any more")
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the call was ended by the caller")
	}
	return status.Error(codes.Internal, fmt.Sprintf("the board failed: %v", err))
}
