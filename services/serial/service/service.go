// Package service serves waldo.serial.v1.SerialService on top of a board. Its methods may be called
// concurrently; streams end when the board is closed. The only goroutines are those of Connect, which
// end with their call; [Service.Close] waits for them.
package service

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/serial/board"
	"github.com/waldo-robot/waldo/services/serial/codec"
)

// Arbiter judges commands; package actuator has one.
type Arbiter interface {
	// Submit judges a command and has it carried out if it is accepted. Its error is a gRPC status.
	Submit(ctx context.Context, h *controlv1.CommandHeader, c actuator.Command) (*controlv1.CommandReport, error)
	// Malformed notes a command that was refused before that.
	Malformed(ctx context.Context, h *controlv1.CommandHeader, err error)
}

// Config is what a service serves. Arbiter and Safe are nil for a board that moves nothing.
type Config struct {
	Board   *board.Board
	Writer  codec.Writer
	Port    *serialv1.Port // as GetPort returns it; never changed
	Arbiter Arbiter
	Safe    []byte // the payload that is neutral
	// FullScale is how far each value is from its safe one at full speed, by key; nil if it is not known.
	FullScale map[string]float64
}

// Service is the gRPC service.
type Service struct {
	serialv1.UnimplementedSerialServiceServer
	Config
	receivers sync.WaitGroup // of Connect
}

// New returns a service.
func New(c Config) *Service { return &Service{Config: c} }

// Close returns when nothing is running any longer. All calls must have ended before.
func (s *Service) Close() { s.receivers.Wait() }

// GetPort implements SerialService.
func (s *Service) GetPort(context.Context, *serialv1.GetPortRequest) (*serialv1.GetPortResponse, error) {
	return &serialv1.GetPortResponse{Port: s.Port}, nil
}

// StreamMessages implements SerialService.
func (s *Service) StreamMessages(
	_ *serialv1.StreamMessagesRequest, to grpc.ServerStreamingServer[serialv1.StreamMessagesResponse],
) error {
	return forward(to.Context(), s.Board.Subscribe(), func(m *serialv1.SerialMessage, dropped int64) error {
		return to.Send(&serialv1.StreamMessagesResponse{Message: m, DroppedCount: dropped})
	})
}

// forward sends messages until ctx ends or the board is closed, and closes the subscription.
func forward(
	ctx context.Context, messages *board.Reader, send func(m *serialv1.SerialMessage, dropped int64) error,
) error {
	defer messages.Close()
	for m, err := range messages.All(ctx) {
		if err != nil {
			return failure(err)
		}
		if err := send(m, int64(messages.Lost())); err != nil {
			return err
		}
	}
	return failure(io.EOF)
}

// WriteMessage implements SerialService.
func (s *Service) WriteMessage(
	ctx context.Context, r *serialv1.WriteMessageRequest,
) (*serialv1.WriteMessageResponse, error) {
	report, err := s.write(ctx, r)
	if err != nil {
		return nil, err
	}
	return &serialv1.WriteMessageResponse{Report: report}, nil
}

// write writes one message, on the path that fits the board. A refused command has both a report and an
// error.
func (s *Service) write(ctx context.Context, r *serialv1.WriteMessageRequest) (*controlv1.CommandReport, error) {
	payload, err := s.Writer.Write(r)
	if err != nil {
		err = failure(err)
		if s.Arbiter != nil {
			s.Arbiter.Malformed(ctx, r.GetControl(), err)
		}
		return nil, err
	}
	if s.Arbiter != nil {
		return s.Arbiter.Submit(ctx, r.GetControl(), command{s, payload})
	}
	if r.GetControl() != nil {
		return nil, status.Error(codes.InvalidArgument,
			"control: this board moves nothing, so there is no lease on it: leave control out")
	}
	return nil, failure(s.Board.Write(ctx, payload))
}

// failure gives an error its gRPC code. The arbiter's errors have theirs already.
func failure(err error) error {
	if wrong := (*codec.MessageError)(nil); errors.As(err, &wrong) {
		return status.Error(codes.InvalidArgument, wrong.Error())
	}
	return device.Status(err, map[error]codes.Code{board.ErrFull: codes.ResourceExhausted})
}
