package service

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/inflight"
)

// connection is one Connect call.
type connection struct {
	call grpc.BidiStreamingServer[serialv1.ConnectRequest, serialv1.ConnectResponse]

	mu sync.Mutex // of Send, which takes one at a time
}

func (c *connection) send(r *serialv1.ConnectResponse) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.call.Send(r)
}

// Connect implements SerialService.
func (s *Service) Connect(call grpc.BidiStreamingServer[serialv1.ConnectRequest, serialv1.ConnectResponse]) error {
	c := &connection{call: call}
	ctx, cancel := context.WithCancel(call.Context())
	messages := s.Board.Subscribe() // before the first write, or the board's answer to it could be missed
	forwarded := make(chan error, 1)
	var forwarding sync.WaitGroup
	defer forwarding.Wait()
	defer cancel()
	forwarding.Go(func() {
		forwarded <- forward(ctx, messages, func(m *serialv1.SerialMessage, dropped int64) error {
			err := c.send(&serialv1.ConnectResponse{Body: &serialv1.ConnectResponse_Message{Message: m}, DroppedCount: dropped})
			if err != nil {
				return err
			}
			return inflight.Room(ctx) // results do not wait for it
		})
	})
	requests := make(chan received)
	s.receivers.Go(func() { c.receive(requests) })
	for {
		select {
		case err := <-forwarded:
			return err
		case r := <-requests:
			switch {
			case errors.Is(r.err, io.EOF): // the caller has stopped writing, and continues to read
				requests = nil
			case r.err != nil:
				return r.err
			default:
				if err := c.send(s.result(ctx, r.request)); err != nil {
					return err
				}
			}
		}
	}
}

// received is a message from the caller, or the reason why no more come.
type received struct {
	request *serialv1.ConnectRequest
	err     error
}

// receive passes on the caller's messages, one at a time, until the call ends. That is after the handler
// has returned, so the handler cannot wait for it: Close does.
func (c *connection) receive(requests chan<- received) {
	for {
		r, err := c.call.Recv()
		select {
		case requests <- received{r, err}:
		case <-c.call.Context().Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// result writes one message and returns the result.
func (s *Service) result(ctx context.Context, r *serialv1.ConnectRequest) *serialv1.ConnectResponse {
	result := &serialv1.WriteResult{Id: r.GetId()}
	var err error
	if r.GetWrite() == nil {
		err = status.Error(codes.InvalidArgument, "write: is missing")
	} else {
		result.Report, err = s.write(ctx, r.GetWrite())
	}
	if err != nil {
		st := status.Convert(err)
		result.Code, result.Error = int32(st.Code()), st.Message()
	}
	return &serialv1.ConnectResponse{Body: &serialv1.ConnectResponse_Result{Result: result}}
}
