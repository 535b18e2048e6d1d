package bus

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// ErrDisconnected is returned for what could not be sent because the server is away.
var ErrDisconnected = errors.New("the bus is not reachable")

var errTooLarge = fmt.Errorf("the message is larger than %d MiB", maxMessage>>20)

// typeHeader carries the full name of a message's type, so that a newer or a foreign message is told from a broken one.
const typeHeader = "Waldo-Type"

// maxTypeName bounds the name of a type, in bytes.
const maxTypeName = 512

// epochHeader carries, in decimal, the epoch of the device that sent a message, or of the one that a call is for.
const epochHeader = "Waldo-Epoch"

// Publish sends m, of at most 64 MiB, to everybody who subscribes to subject now. It keeps nothing for later: while the
// server is away it fails at once with [ErrDisconnected]. It waits only while the network takes no more, for 2 s at
// most.
func (c *Conn) Publish(subject string, m proto.Message) error {
	return c.publish(subject, m, nats.Header{typeHeader: {typeName(m)}}, maxPart)
}

// PublishAs is [Conn.Publish] for a device, whose messages name its epoch: a reader then knows which definition of the
// type they follow.
func (c *Conn) PublishAs(epoch int64, subject string, m proto.Message) error {
	return c.publish(subject, m, deviceHeader(epoch, m), maxPart)
}

// PublishWhole is [Conn.PublishAs] for messages that are dealt to the members of a group ([Join]). They are split only
// if they are larger than what the server takes at once, and then no member can read them.
func (c *Conn) PublishWhole(epoch int64, subject string, m proto.Message) error {
	return c.publish(subject, m, deviceHeader(epoch, m), maxMessage)
}

func deviceHeader(epoch int64, m proto.Message) nats.Header {
	return nats.Header{typeHeader: {typeName(m)}, epochHeader: {strconv.FormatInt(epoch, 10)}}
}

// plain makes the same bytes of equal messages, so that a reader can see that nothing has changed without decoding
// them.
var plain = proto.MarshalOptions{Deterministic: true}

// publish splits what is larger than part, or than what the server takes.
func (c *Conn) publish(subject string, m proto.Message, header nats.Header, part int64) error {
	data, err := plain.Marshal(m)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", subject, err)
	}
	if err := c.sendIn(&nats.Msg{Subject: subject, Header: header, Data: data}, part); err != nil {
		return fmt.Errorf("publish to %s: %w", subject, err)
	}
	return nil
}

// send publishes a message of any size and counts what became of it.
func (c *Conn) send(m *nats.Msg) error { return c.sendIn(m, maxPart) }

func (c *Conn) sendIn(m *nats.Msg, part int64) error {
	err := c.sendParts(m, part)
	switch {
	case err == nil:
		c.metrics.published.Inc()
	case errors.Is(err, ErrDisconnected):
		c.metrics.lost.WithLabelValues("disconnected").Inc()
	default:
		c.metrics.lost.WithLabelValues("refused").Inc()
	}
	return err
}

func (c *Conn) sendParts(m *nats.Msg, limit int64) error {
	if !c.Connected() {
		return ErrDisconnected
	}
	if len(m.Data) > maxMessage {
		return errTooLarge
	}
	for _, part := range split(m, min(limit, c.nc.MaxPayload())) {
		if err := c.nc.PublishMsg(part); err != nil {
			return sendError(err)
		}
	}
	return nil
}

// sendError distinguishes the caller's mistakes from the network's.
func sendError(err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrBadHeaderMsg):
		return err
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionClosed):
		return ErrDisconnected
	default:
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
}

// Subscribe receives messages of type M from a subject, which may have wildcards. It works whether the server is there
// or not, and across reconnects. The policy chooses what a slow reader loses; with [stream.Block] up to 128 MiB wait in
// NATS's own queue, which then drops the newest. Close the subscription to leave.
func Subscribe[M proto.Message](c *Conn, subject string, policy stream.Policy) (*Subscription[M], error) {
	return subscribe(c, subject, policy, decoder[M]())
}

// decoder returns what decodes messages of type M, see subscribe.
func decoder[M proto.Message]() func(*nats.Msg) (m M, wrong string) {
	by := codingOf[M]()
	return func(m *nats.Msg) (v M, wrong string) {
		if m.Header.Get(typeHeader) != by.name {
			return v, "type"
		}
		return by.decode(m.Data)
	}
}

// coding is how messages of type M are coded.
type coding[M proto.Message] struct {
	kind protoreflect.MessageType
	name string
}

func codingOf[M proto.Message]() *coding[M] {
	var zero M
	kind := zero.ProtoReflect().Type()
	return &coding[M]{kind, string(kind.Descriptor().FullName())}
}

// decode decodes a message of the type, or says what is wrong, see subscribe.
func (c *coding[M]) decode(data []byte) (m M, wrong string) {
	m = c.kind.New().Interface().(M)
	if err := proto.Unmarshal(data, m); err != nil {
		return m, "decode"
	}
	return m, ""
}

// Sent is a message with the subject that it was published on.
type Sent[M proto.Message] struct {
	Subject string
	Message M
}

// SubscribeSent is [Subscribe] for readers that have to know the subject: what a message says of its sender is not to
// be trusted, but the server may keep senders to their subjects.
func SubscribeSent[M proto.Message](c *Conn, subject string, policy stream.Policy) (*Subscription[Sent[M]], error) {
	decode := decoder[M]()
	return subscribe(c, subject, policy, func(m *nats.Msg) (Sent[M], string) {
		v, wrong := decode(m)
		return Sent[M]{m.Subject, v}, wrong
	})
}

// Raw is a message that is still encoded.
type Raw struct {
	// Subject is where it was published; of no account when it is published again.
	Subject string
	// Type is the full name of its type.
	Type string
	// Epoch of the device that sent it; 0 if it does not say.
	Epoch int64
	// Parts is 1 for a whole message; otherwise Data are only the first of so many parts, see [Join].
	Parts int
	// Data are its bytes.
	Data []byte
}

// SubscribeRaw is [Subscribe] for messages of every type. What is not named by its type is counted and ignored.
func SubscribeRaw(c *Conn, subject string, policy stream.Policy) (*Subscription[Raw], error) {
	var last string // a type that is valid: messages of a subject rarely have another than the one before
	return subscribe(c, subject, policy, func(m *nats.Msg) (Raw, string) {
		r := unchecked(m.Subject, m.Header, m.Data)
		if last == "" || r.Type != last {
			if !isType(r.Type) {
				return r, "type"
			}
			last = r.Type
		}
		return r, ""
	})
}

// subscribe receives what decode understands. For the rest it returns what is wrong: "type" or "decode".
func subscribe[M any](c *Conn, subject string, policy stream.Policy,
	decode func(*nats.Msg) (m M, wrong string)) (*Subscription[M], error) {
	joiner := c.parts.joiner()
	return subscribeAs(c, subject, "", policy, joiner.close, func(m *nats.Msg) (v M, wrong string) {
		if m = joiner.join(m); m == nil {
			return v, incomplete
		}
		return decode(m)
	})
}

// incomplete is what decode says of a message that has been counted, or is yet to be.
const incomplete = "incomplete"

// subscribeAs subscribes as a member of a group, "" for none, and calls end once the subscription is closed.
func subscribeAs[M any](c *Conn, subject, group string, policy stream.Policy, end func(),
	decode func(*nats.Msg) (m M, wrong string)) (*Subscription[M], error) {
	topic := stream.NewTopic[M]()
	r := &receiver[M]{
		topic:   topic,
		queue:   topic.Subscribe(policy),
		decode:  decode,
		metrics: c.metrics,
		losses:  losses{metrics: c.metrics},
	}
	sub, err := c.subscribe(subject, group, r.receive, func() { topic.Close(io.EOF); end() })
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return &Subscription[M]{Subscription: r.queue, sub: sub}, nil
}

// Subscription is a [stream.Subscription] fed from the bus.
type Subscription[M any] struct {
	*stream.Subscription[M]
	sub *nats.Subscription
}

// Close leaves the subject and ends the subscription.
func (s *Subscription[M]) Close() {
	s.Subscription.Close()  // first: it frees a receiver that waits under Block
	_ = s.sub.Unsubscribe() // fails only on a closed connection, which has the same effect
}

// Drain leaves the subject. What the server has sent by then can still be read, and after that comes [io.EOF].
func (s *Subscription[M]) Drain() {
	_ = s.sub.Drain() // fails only on a closed connection, or a subscription that is closed or drained already
}

// receiver turns what NATS delivers into messages. NATS calls it from one goroutine.
type receiver[M any] struct {
	topic   *stream.Topic[M]
	queue   *stream.Subscription[M]
	decode  func(*nats.Msg) (m M, wrong string)
	metrics *metrics
	losses  losses
}

func (r *receiver[M]) receive(m *nats.Msg) {
	r.take(m)
	dropped, _ := m.Sub.Dropped() // fails only once the subscription is closed
	r.losses.count(uint64(max(dropped, 0)), r.queue.Lost())
}

func (r *receiver[M]) take(m *nats.Msg) {
	v, wrong := r.decode(m)
	if wrong == incomplete {
		return
	}
	if wrong != "" {
		r.metrics.ignored.WithLabelValues(wrong).Inc()
		return
	}
	r.metrics.received.Inc()
	r.topic.Publish(v)
}

// losses turns one subscription's totals into the connection's counters.
type losses struct {
	metrics       *metrics
	dropped, lost uint64
}

func (l *losses) count(dropped, lost uint64) {
	if dropped > l.dropped {
		l.metrics.lost.WithLabelValues("queue_full").Add(float64(dropped - l.dropped))
		l.dropped = dropped
	}
	if lost > l.lost {
		l.metrics.lost.WithLabelValues("slow_reader").Add(float64(lost - l.lost))
		l.lost = lost
	}
}

// subscribe calls receive for every message, of those that a group gets if there is one, and end once the subscription
// or the connection is closed. end must free a receive that waits.
func (c *Conn) subscribe(subject, group string, receive nats.MsgHandler, end func()) (*nats.Subscription, error) {
	leave, err := c.adopt(end)
	if err != nil {
		return nil, err
	}
	done := func() {
		end()
		leave()
	}
	sub, err := c.nc.QueueSubscribe(subject, group, receive)
	if err != nil {
		done()
		return nil, err
	}
	_ = sub.SetPendingLimits(-1, maxHeld) // fails only on a closed connection
	sub.SetClosedHandler(func(string) { done() })
	if !sub.IsValid() { // closed before it had the handler
		done()
	}
	return sub, nil
}

func typeName(m proto.Message) string { return string(m.ProtoReflect().Descriptor().FullName()) }
