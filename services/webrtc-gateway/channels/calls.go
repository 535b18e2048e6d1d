package channels

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	// maxUnderWay is how many calls of one peer may be in flight: a third of a second at 50 commands a second.
	maxUnderWay = 16
	// callTimeout is after what time nobody waits for the response to a call on this channel.
	callTimeout = time.Second
)

// serveCalls forwards calls that may be lost.
func (b *Bridge) serveCalls(c *rtc.Channel, of *visitors.Visitor) {
	underWay := make(chan struct{}, maxUnderWay)
	c.OnMessage(func(text bool, data []byte) {
		call, err := readCall(text, data)
		call.Peer, call.By = c.Peer(), of
		if err != nil {
			b.metrics.dropped.WithLabelValues("garbage").Inc()
			b.answer(c, calls.Failed(call.ID, err))
			return
		}
		select {
		case underWay <- struct{}{}:
		default:
			b.metrics.dropped.WithLabelValues("calls").Inc()
			return
		}
		c.Go(func(ctx context.Context) {
			defer func() { <-underWay }()
			ctx, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			b.answer(c, b.caller.Call(ctx, call))
		})
	})
}

// readCall reads the JSON of a call.
func readCall(text bool, data []byte) (*calls.Call, error) {
	if !text {
		return &calls.Call{}, status.Error(codes.InvalidArgument, "call: send text, not binary")
	}
	return calls.Parse(data)
}

// answer sends a peer the result of its call, unless too many results are waiting already.
func (b *Bridge) answer(c *rtc.Channel, result *calls.Result) {
	data := result.JSON()
	if len(data) > rtc.MaxMessage {
		data = calls.Failed(result.ID, status.Errorf(codes.ResourceExhausted,
			"the response has %d bytes, but a data channel carries at most %d: make this call over the session",
			len(data), rtc.MaxMessage)).JSON()
	}
	if !c.TrySend(true, data) {
		b.metrics.dropped.WithLabelValues("results").Inc()
	}
}
