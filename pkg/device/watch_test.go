package device

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// watchCall is a call that somebody reads.
type watchCall struct {
	grpc.ServerStream
	ctx  context.Context
	sent chan int64
}

func (c *watchCall) Context() context.Context { return c.ctx }

func (c *watchCall) Send(m *wrapperspb.Int64Value) error {
	if m.GetValue() < 0 {
		return net.ErrClosed
	}
	c.sent <- m.GetValue()
	return nil
}

// TestWatch: what is now, every change, and why it ends.
func TestWatch(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	for name, tt := range map[string]struct {
		ctx  context.Context
		end  func(stop context.CancelFunc, changes *stream.Topic[int64])
		want error
	}{
		"the device stops": {t.Context(), func(stop context.CancelFunc, _ *stream.Topic[int64]) { stop() },
			status.Error(codes.Unavailable, "the device is stopping")},
		"the topic is closed": {t.Context(), func(_ context.CancelFunc, c *stream.Topic[int64]) { c.Close(nil) },
			status.Error(codes.Unavailable, "the device is stopping")},
		"its caller leaves": {gone, func(context.CancelFunc, *stream.Topic[int64]) { leave() },
			status.Error(codes.Canceled, "context canceled")},
		"it cannot be sent": {t.Context(), func(_ context.CancelFunc, c *stream.Topic[int64]) { c.Publish(-1) },
			net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			k := &Kit{}
			var stop context.CancelFunc
			k.stopping, stop = context.WithCancel(t.Context())
			defer stop()
			call := &watchCall{ctx: tt.ctx, sent: make(chan int64, 1)}
			changes := stream.NewTopic[int64]()
			ended := make(chan error, 1)
			go func() {
				ended <- Watch(k, call, changes, func() int64 { return 7 }, wrapperspb.Int64)
			}()
			if first := <-call.sent; first != 7 {
				t.Errorf("first %d", first)
			}
			changes.Publish(8)
			if next := <-call.sent; next != 8 {
				t.Errorf("then %d", next)
			}
			tt.end(stop, changes)
			if err := <-ended; err == nil || err.Error() != tt.want.Error() {
				t.Errorf("%v, not %v", err, tt.want)
			}
		})
	}
}
