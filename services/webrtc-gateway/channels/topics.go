package channels

import (
	"context"
	"errors"
	"sync"
	"unicode/utf8"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	// topicQueue is how many messages from others may wait for a slow peer.
	topicQueue = 256
	// A peer may send this many messages per second on one topic, and a larger burst; the rest is dropped.
	messagesPerSecond, messagesBurst = 1000, 2000
)

// serveTopic connects a channel to a topic on the bus. Who may only read is told so, once, when they write.
func (b *Bridge) serveTopic(c *rtc.Channel, of *visitors.Visitor, topic string) {
	if err := of.Require(roles.ReadTopic, "", "to read the topic "+topic); err != nil {
		b.Refuse(c, err)
		return
	}
	m, err := b.Member(topic, c.Peer())
	if err != nil {
		b.Refuse(c, err)
		return
	}
	var told sync.Once
	c.OnMessage(func(text bool, data []byte) {
		if err := of.Require(roles.WriteTopic, "", "to write to the topic "+topic); err != nil {
			b.metrics.dropped.WithLabelValues("role").Inc()
			told.Do(func() { c.Go(func(ctx context.Context) { b.sayWhy(ctx, c, err) }) })
			return
		}
		m.Say(text, data)
	})
	listens := c.Go(func(ctx context.Context) {
		defer c.Close()
		_ = m.Listen(ctx, c.Send) // it ends with the channel, or with the bus
	})
	if !listens {
		m.Close()
	}
}

// Member is a peer on a topic, however it is connected. It hears all answers to what it says. It must be closed.
type Member struct {
	bridge        *Bridge
	topic, sender string
	limit         *rate.Limiter
	messages      *bus.Subscription[*messagev1.Message]
	closing       sync.Once
}

// Member makes a peer a member of a topic. The sender's name must be unique in the life of the gateway. A name that
// cannot be a topic is codes.InvalidArgument.
func (b *Bridge) Member(topic, sender string) (*Member, error) {
	if err := bus.CheckTopic(topic); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "%v", err)
	}
	messages, err := bus.Subscribe[*messagev1.Message](b.conn, bus.Topic(b.robot, topic), stream.DropOldest(topicQueue))
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "%v", err)
	}
	return &Member{bridge: b, topic: topic, sender: sender, messages: messages,
		limit: rate.NewLimiter(messagesPerSecond, messagesBurst)}, nil
}

// Close makes the peer leave the topic.
func (m *Member) Close() {
	m.closing.Do(func() {
		m.messages.Close()
		m.bridge.metrics.dropped.WithLabelValues("topic").Add(float64(m.messages.Lost()))
	})
}

// Say publishes a message of the peer on the bus. What cannot be published is dropped and counted.
func (m *Member) Say(text bool, data []byte) {
	dropped := m.bridge.metrics.dropped
	if !m.limit.Allow() {
		dropped.WithLabelValues("flood").Inc()
		return
	}
	message := &messagev1.Message{Topic: m.topic, Sender: m.sender, PublishTime: timestamppb.Now(),
		Body: &messagev1.Message_Data{Data: data}}
	if text {
		if !utf8.Valid(data) {
			dropped.WithLabelValues("garbage").Inc()
			return
		}
		message.Body = &messagev1.Message_Text{Text: string(data)}
	}
	if err := m.bridge.conn.Publish(bus.Topic(m.bridge.robot, m.topic), message); err != nil {
		dropped.WithLabelValues("bus").Inc()
	}
}

// ErrTooLarge is the error of a message that is too large for a data channel.
var ErrTooLarge = errors.New("too large for a data channel")

// Listen passes what others say to send, until that fails or ctx ends; then it closes the member. A message that is too
// large for a data channel, or that send calls so, is dropped. While send takes its time, the oldest messages are lost.
func (m *Member) Listen(ctx context.Context, send func(ctx context.Context, text bool, data []byte) error) error {
	defer m.Close()
	for message, err := range m.messages.All(ctx) {
		if err != nil {
			return err
		}
		if message.GetSender() == m.sender {
			continue
		}
		text, data := body(message)
		err = ErrTooLarge
		if len(data) <= rtc.MaxMessage {
			err = send(ctx, text, data)
		}
		switch {
		case errors.Is(err, ErrTooLarge):
			m.bridge.metrics.dropped.WithLabelValues("too_large").Inc()
		case err != nil:
			return err
		}
	}
	return nil
}

func body(m *messagev1.Message) (text bool, data []byte) {
	if b, ok := m.GetBody().(*messagev1.Message_Data); ok {
		return false, b.Data
	}
	return true, []byte(m.GetText())
}
