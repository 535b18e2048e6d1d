package channels

import (
	"context"
	"unicode/utf8"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

const (
	// topicQueue is how many messages from others may wait for a slow peer.
	topicQueue = 256
	// A peer may send this many messages per second on one topic, and a larger burst; the rest is dropped.
	messagesPerSecond, messagesBurst = 1000, 2000
)

// serveTopic connects a channel to a topic on the bus.
func (b *Bridge) serveTopic(c *rtc.Channel, topic string) {
	if err := bus.CheckTopic(topic); err != nil {
		b.refuse(c, status.Errorf(codes.InvalidArgument, "label: %v", err))
		return
	}
	limit := rate.NewLimiter(messagesPerSecond, messagesBurst)
	c.OnMessage(func(text bool, data []byte) {
		if !limit.Allow() {
			b.metrics.dropped.WithLabelValues("flood").Inc()
			return
		}
		b.publish(c.Peer(), topic, text, data)
	})
	c.Go(func(ctx context.Context) {
		defer c.Close()
		messages, err := bus.Subscribe[*messagev1.Message](b.conn, bus.Topic(b.robot, topic), stream.DropOldest(topicQueue))
		if err != nil {
			b.sayWhy(ctx, c, status.Errorf(codes.Unavailable, "%v", err))
			return
		}
		defer func() {
			messages.Close()
			b.metrics.dropped.WithLabelValues("topic").Add(float64(messages.Lost()))
		}()
		for m, err := range messages.All(ctx) {
			if err != nil {
				return
			}
			if m.GetSender() != c.Peer() && b.tell(ctx, c, m) != nil {
				return
			}
		}
	})
}

// publish publishes a peer's message on the bus.
func (b *Bridge) publish(peer, topic string, text bool, data []byte) {
	m := &messagev1.Message{Topic: topic, Sender: peer, PublishTime: timestamppb.Now(),
		Body: &messagev1.Message_Data{Data: data}}
	if text {
		if !utf8.Valid(data) {
			b.metrics.dropped.WithLabelValues("garbage").Inc()
			return
		}
		m.Body = &messagev1.Message_Text{Text: string(data)}
	}
	if err := b.conn.Publish(bus.Topic(b.robot, topic), m); err != nil {
		b.metrics.dropped.WithLabelValues("bus").Inc()
	}
}

// tell forwards the message of another sender. One that is too large for a data channel is dropped.
func (b *Bridge) tell(ctx context.Context, c *rtc.Channel, m *messagev1.Message) error {
	text, data := true, []byte(m.GetText())
	if body, ok := m.GetBody().(*messagev1.Message_Data); ok {
		text, data = false, body.Data
	}
	if len(data) > rtc.MaxMessage {
		b.metrics.dropped.WithLabelValues("too_large").Inc()
		return nil
	}
	return c.Send(ctx, text, data)
}
