package channels

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

const (
	// maxUnderWay is how many calls of one peer may be under way: at 50 commands a second, what comes in a third of one.
	maxUnderWay = 16
	// callTimeout is when nobody waits for the answer to a call on this channel any more.
	callTimeout = time.Second
)

// serveCalls passes on calls that may be lost.
func (b *Bridge) serveCalls(c *rtc.Channel) {
	underWay := make(chan struct{}, maxUnderWay)
	c.OnMessage(func(text bool, data []byte) {
		call, err := readCall(text, data)
		if err != nil {
			b.metrics.dropped.WithLabelValues("garbage").Inc()
			b.answer(c, calls.Failed(call.GetId(), err))
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

// readCall reads the JSON of a call. Fields it does not know are those of a newer peer, and ignored.
func readCall(text bool, data []byte) (*signalingv1.Call, error) {
	if !text {
		return nil, status.Error(codes.InvalidArgument, "call: send text, not binary")
	}
	var call signalingv1.Call
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, &call); err != nil {
		return &call, status.Errorf(codes.InvalidArgument, "call: not a waldo.signaling.v1.Call: %v", err)
	}
	return &call, nil
}

// answer tells a peer how its call ended, unless too much waits to be told already.
func (b *Bridge) answer(c *rtc.Channel, result *signalingv1.CallResult) {
	data, err := protojson.Marshal(result)
	if len(data) > rtc.MaxMessage {
		data, err = protojson.Marshal(calls.Failed(result.GetId(), status.Errorf(codes.ResourceExhausted,
			"the answer has %d bytes, of which a data channel carries %d: call over the WebSocket", len(data), rtc.MaxMessage)))
	}
	if err != nil || !c.TrySend(true, data) {
		b.metrics.dropped.WithLabelValues("results").Inc()
	}
}
