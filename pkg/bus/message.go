package bus

import (
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// ErrDisconnected is returned for what could not be sent because the server is away.
var ErrDisconnected = errors.New("the bus is not reachable")

// typeHeader carries the full name of a message's type, so that a newer or a foreign message is told from a broken one.
const typeHeader = "Waldo-Type"

// Publish sends m to everybody who subscribes to subject now. It does not wait, and keeps nothing for later: while the server
// is away it fails with [ErrDisconnected].
func (c *Conn) Publish(subject string, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", subject, err)
	}
	header := nats.Header{typeHeader: {typeName(m)}}
	if err := c.send(&nats.Msg{Subject: subject, Header: header, Data: data}); err != nil {
		return fmt.Errorf("publish to %s: %w", subject, err)
	}
	return nil
}

// send publishes a message of any size.
func (c *Conn) send(m *nats.Msg) error {
	if !c.nc.IsConnected() {
		c.metrics.lost.WithLabelValues("disconnected").Inc()
		return ErrDisconnected
	}
	for _, part := range split(m, c.nc.MaxPayload()) {
		if err := c.nc.PublishMsg(part); err != nil {
			c.metrics.lost.WithLabelValues("disconnected").Inc()
			return fmt.Errorf("%w: %w", ErrDisconnected, err)
		}
	}
	c.metrics.published.Inc()
	return nil
}

// Subscribe receives messages of type M from a subject, which may have wildcards. It works whether the server is there or not,
// and across reconnects. The policy says what a slow reader loses; with [stream.Block] it is NATS that drops the
// newest messages once its own queue is full. Close the subscription to leave.
func Subscribe[M proto.Message](c *Conn, subject string, policy stream.Policy) (*Subscription[M], error) {
	topic := stream.NewTopic[M]()
	s := &Subscription[M]{Subscription: topic.Subscribe(policy)}
	var zero M
	prototype := zero.ProtoReflect().Type()
	want := string(prototype.Descriptor().FullName())
	receive := func(m *nats.Msg) {
		if got := m.Header.Get(typeHeader); got != want {
			c.metrics.ignored.WithLabelValues("type").Inc()
			return
		}
		v := prototype.New().Interface()
		if err := proto.Unmarshal(m.Data, v); err != nil {
			c.metrics.ignored.WithLabelValues("decode").Inc()
			return
		}
		c.metrics.received.Inc()
		topic.Publish(v.(M))
	}
	joiner := newJoiner(c.metrics)
	sub, err := c.nc.Subscribe(subject, func(m *nats.Msg) {
		if whole := joiner.join(m); whole != nil {
			receive(whole)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	sub.SetClosedHandler(func(string) { topic.Close(io.EOF) })
	s.unsubscribe = func() {
		s.Subscription.Close() // first: it frees a callback that waits under Block
		_ = sub.Unsubscribe()  // fails only if the connection is closed, which has the same effect
	}
	return s, nil
}

// Subscription is a [stream.Subscription] fed from the bus.
type Subscription[M proto.Message] struct {
	*stream.Subscription[M]
	unsubscribe func()
}

// Close leaves the subject and ends the subscription.
func (s *Subscription[M]) Close() { s.unsubscribe() }

func typeName(m proto.Message) string { return string(m.ProtoReflect().Descriptor().FullName()) }
