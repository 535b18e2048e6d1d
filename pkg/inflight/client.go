package inflight

import (
	"context"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

// Acknowledging makes a client acknowledge what it reads of every stream, so that at most that many
// messages, 1 to [MaxWindow], are in flight to it. A message counts as read once its reader asks for the
// next.
//
//	conn, err := grpc.NewClient(address, grpc.WithStreamInterceptor(inflight.Acknowledging(1)), …)
func Acknowledging(window int) grpc.StreamClientInterceptor {
	return func(
		ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer,
		o ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		if !desc.ServerStreams {
			return open(ctx, desc, conn, method, o...)
		}
		s, err := open(metadata.AppendToOutgoingContext(ctx, WindowHeader, strconv.Itoa(window)), desc, conn, method, o...)
		if err != nil {
			return nil, err
		}
		return &clientStream{ClientStream: s, client: devicev1.NewDeviceServiceClient(conn), call: ctx,
			wake: make(chan struct{}, 1)}, nil
	}
}

// clientStream acknowledges what it has handed over when it is asked for more.
type clientStream struct {
	grpc.ClientStream
	client devicev1.DeviceServiceClient
	call   context.Context // with what the caller sends, a token for example
	given  int64           // messages handed over; for the reading goroutine only
	read   atomic.Int64    // messages before the one being asked for
	wake   chan struct{}
}

func (s *clientStream) RecvMsg(m any) error {
	if s.given > 0 {
		s.read.Store(s.given)
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	err := s.ClientStream.RecvMsg(m)
	if err != nil {
		return err
	}
	if s.given++; s.given == 1 {
		go s.acknowledge()
	}
	return nil
}

// acknowledge reports to the server how far the reader is, one call at a time, until the stream has ended.
func (s *clientStream) acknowledge() {
	header, err := s.Header()
	id := header.Get(CallHeader)
	if err != nil || len(id) == 0 {
		return // a server without this feature
	}
	ended := s.Context().Done()
	for {
		select {
		case <-s.wake:
		case <-ended:
			return
		}
		// A failure means that the call has ended, or that the connection is lost, which ends it too.
		_, _ = s.client.Acknowledge(s.call, &devicev1.AcknowledgeRequest{Call: id[0], Messages: s.read.Load()})
	}
}
