package device

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// Watch answers a call with what is now, and then with every change, until its caller leaves or the device stops, which
// is codes.Unavailable. A slow reader misses steps in between, never the newest.
func Watch[S, R any](k *Kit, to grpc.ServerStreamingServer[R], changes *stream.Topic[S], now func() S,
	answer func(S) *R) error {
	ctx, cancel := context.WithCancel(to.Context())
	defer cancel()
	defer context.AfterFunc(k.Stopping(), cancel)()
	states := changes.Subscribe(stream.Latest())
	defer states.Close()
	if err := to.Send(answer(now())); err != nil {
		return err
	}
	for state, err := range states.All(ctx) {
		if err != nil {
			break // the call or the device ends, as the topic's end would say
		}
		if err := to.Send(answer(state)); err != nil {
			return err
		}
	}
	if err := to.Context().Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Unavailable, ErrStopping.Error())
}
