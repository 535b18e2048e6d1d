package service_test

import (
	"context"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/services/serial/board"
	"github.com/waldo-robot/waldo/services/serial/codec"
	"github.com/waldo-robot/waldo/services/serial/frame"
	"github.com/waldo-robot/waldo/services/serial/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// port is a line on which the test plays the board.
type port struct{ *io.PipeReader }

func (port) Write(b []byte) (int, error) { return len(b), nil }

// answering takes every command, and returns when the board has answered it.
type answering struct{ answer func() }

func (a answering) Submit(context.Context, *controlv1.CommandHeader,
	actuator.Command) (*controlv1.CommandReport, error) {
	a.answer()
	return &controlv1.CommandReport{}, nil
}

func (answering) Malformed(context.Context, *controlv1.CommandHeader, error) {}

// call is a Connect call whose caller has written once already.
type call struct {
	grpc.BidiStreamingServer[serialv1.ConnectRequest, serialv1.ConnectResponse]
	ctx      context.Context
	requests chan *serialv1.ConnectRequest
	sent     chan *serialv1.ConnectResponse
}

func (c *call) Context() context.Context { return c.ctx }

func (c *call) Recv() (*serialv1.ConnectRequest, error) {
	select {
	case r := <-c.requests:
		return r, nil
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
}

func (c *call) Send(r *serialv1.ConnectResponse) error {
	c.sent <- r
	return nil
}

// startBoard returns a board that reads lines, and a function that has it send one and returns when its
// readers have it.
func startBoard(t *testing.T) (b *board.Board, say func()) {
	b = board.New(board.Config{
		Reader: codec.Line{}, Writer: codec.Line{},
		Splitter: func(d frame.Discarded) (frame.Splitter, error) { return frame.NewLines("\n", d) },
		Frame:    func(dst, payload []byte) []byte { return append(dst, payload...) },
	})
	line, far := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.Run(ctx, port{line}, board.Hooks{}) // it ends with the test
	}()
	heard := b.Subscribe()
	t.Cleanup(func() { cancel(); <-ended; b.Close() })
	return b, func() {
		_, _ = far.Write([]byte("answer\n"))
		_, _ = heard.Next(ctx)
	}
}

// TestConnectHearsTheFirstAnswer: the board's answer to the first message of a call reaches the caller,
// however busy the machine is.
func TestConnectHearsTheFirstAnswer(t *testing.T) {
	b, say := startBoard(t)
	s := service.New(service.Config{Board: b, Writer: codec.Line{}, Arbiter: answering{say}})
	for range 500 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		c := &call{ctx: ctx, requests: make(chan *serialv1.ConnectRequest, 1), sent: make(chan *serialv1.ConnectResponse, 2)}
		c.requests <- &serialv1.ConnectRequest{Write: &serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Line{Line: "x"}}}
		ended := make(chan error, 1)
		go func() { ended <- s.Connect(c) }()
		for range 2 { // the result and the answer, in either order
			select {
			case <-c.sent:
			case <-ctx.Done():
				t.Error("the result or the answer is missing")
			}
		}
		cancel()
		if err := <-ended; err == nil {
			t.Error("the call ended without the caller's error")
		}
		if t.Failed() {
			return
		}
	}
	s.Close() // waits for the goroutines that received
}
