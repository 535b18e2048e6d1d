package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// How the server keeps messages for a group. Programs in other languages that join must ask for the same.
const (
	// KeptFor is how long a message may be with a member that says nothing before another one gets it.
	KeptFor = 5 * time.Second
	// maxDeliveries is how many members get a message before it is given up: it may be what ends them.
	maxDeliveries = 5
	// maxUnconfirmed bounds how many messages of a group are with its members at a time.
	maxUnconfirmed = 256
	// forgetGroup is after what time without a member a group is forgotten, and what is kept for it.
	forgetGroup = time.Minute
	// keepBytes is how much is kept of a subject if nothing else is asked for.
	keepBytes = 64 << 20
	// pullFor is how long one request for a message waits at the server.
	pullFor = 2 * time.Second
	// setUpAgain is the pause after the server could not be set up.
	setUpAgain = 500 * time.Millisecond
)

// Errors of a server that keeps nothing.
var (
	// ErrNotKept means that the server cannot keep messages.
	ErrNotKept = errors.New("the NATS server has no JetStream: use the one of waldo up or waldo bus, " +
		"or enable it there (nats-server -js)")
	// ErrNoRoom means that other streams have reserved all its memory.
	ErrNoRoom = errors.New("the NATS server has no memory left to keep messages in: ask for fewer bytes, or close what " +
		"is kept of other streams")
)

// memoryExceeded is the server's code for ErrNoRoom.
const memoryExceeded jetstream.ErrorCode = 10028

// Kept are the messages of a subject that the server keeps, in memory, until a member of every group has
// confirmed them: a JetStream stream that the first member of any group makes, and a consumer of it for each
// group. Members take from it, so a message goes to one that is free. It is made again after the server has
// restarted. It is safe for concurrent use.
type Kept struct {
	conn           *Conn
	js             jetstream.JetStream
	subject, group string
	bytes          int64

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu       sync.Mutex
	consumer jetstream.Consumer // nil until the server is set up
}

// Keep becomes a member of a group. Bytes bounds what the server keeps of the subject, for all groups together; what is
// oldest goes first. 0 means 64 MiB, and the server must have that much left. It fails with [ErrNotKept], [ErrNoRoom]
// or [ErrRefused], if the server is there.
func (c *Conn) Keep(ctx context.Context, subject, group string, bytes int64) (*Kept, error) {
	js, err := jetstream.New(c.nc)
	if err != nil {
		return nil, fmt.Errorf("keep %s: %w", subject, err)
	}
	if bytes <= 0 {
		bytes = keepBytes
	}
	k := &Kept{conn: c, js: js, subject: subject, group: group, bytes: bytes}
	k.ctx, k.cancel = context.WithCancel(c.ctx)
	if c.Connected() {
		if _, err := k.setUp(ctx); errors.Is(err, ErrNotKept) || errors.Is(err, ErrNoRoom) || errors.Is(err, ErrRefused) {
			k.cancel()
			return nil, fmt.Errorf("keep %s: %w", subject, err)
		}
	}
	return k, nil
}

// Next waits for the next message. It fails only when ctx ends, or after Close. A message that comes at that
// moment goes to another member.
func (k *Kept) Next(ctx context.Context) (*Delivery, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(k.ctx, cancel)()
	for ctx.Err() == nil {
		m, err := k.pull(ctx)
		switch {
		case err != nil:
			k.pause(ctx, err)
		case m != nil:
			if d := k.delivery(m); d != nil {
				return d, nil
			}
		}
	}
	return nil, ctx.Err()
}

// Close leaves the group.
func (k *Kept) Close() { k.cancel() }

// pull asks for one message; it returns nil if there is none for a while.
func (k *Kept) pull(ctx context.Context) (jetstream.Msg, error) {
	consumer, err := k.setUp(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pullFor)
	defer cancel()
	m, err := consumer.Next(jetstream.FetchContext(ctx))
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil, errors.Is(err, nats.ErrTimeout):
		return nil, nil
	}
	k.forget(consumer)
	return nil, err
}

// pause tells of an error once, and waits before the next attempt.
func (k *Kept) pause(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	k.conn.complain("bus: keep "+k.subject, err)
	select {
	case <-ctx.Done():
	case <-time.After(setUpAgain):
	}
}

// setUp returns the group's consumer, which it makes if it is not known to be there.
func (k *Kept) setUp(ctx context.Context) (jetstream.Consumer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.consumer != nil {
		return k.consumer, nil
	}
	if !k.conn.Connected() {
		return nil, ErrDisconnected
	}
	ctx, done := k.conn.orRefused(ctx, jetstream.DefaultAPIPrefix)
	defer done()
	consumer, err := k.create(ctx)
	if errors.Is(context.Cause(ctx), ErrRefused) {
		return nil, fmt.Errorf("%w: only a token with the role admin lets the server keep messages", ErrRefused)
	}
	k.consumer = consumer
	return consumer, err
}

// create makes the stream and the consumer. The caller holds mu.
func (k *Kept) create(ctx context.Context) (jetstream.Consumer, error) {
	s, err := k.stream(ctx)
	if errors.Is(err, ErrNoRoom) {
		k.makeRoom(ctx)
		s, err = k.stream(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: durable(k.group), DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: KeptFor, MaxDeliver: maxDeliveries, MaxAckPending: maxUnconfirmed, InactiveThreshold: forgetGroup,
	})
}

// stream makes the stream, or has it keep what is asked for.
func (k *Kept) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := k.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: durable(k.subject), Subjects: []string{k.subject}, Storage: jetstream.MemoryStorage,
		Retention: jetstream.InterestPolicy, Discard: jetstream.DiscardOld, MaxBytes: k.bytes, Replicas: 1,
	})
	var refused *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return nil, ErrNotKept
	case errors.As(err, &refused) && refused.ErrorCode == memoryExceeded:
		return nil, ErrNoRoom
	}
	return s, err
}

// makeRoom removes streams that have no groups any more: the server reserves memory for them, and forgets only groups
// by itself. Whoever makes one at this moment makes it again.
func (k *Kept) makeRoom(ctx context.Context) {
	for s := range k.js.ListStreams(ctx).Info() {
		if strings.HasPrefix(s.Config.Name, durable(root)) && s.State.Consumers == 0 {
			_ = k.js.DeleteStream(ctx, s.Config.Name) // there is still no room then
		}
	}
}

// forget has the server set up again.
func (k *Kept) forget(consumer jetstream.Consumer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.consumer == consumer {
		k.consumer = nil
	}
}

// delivery returns nil for what cannot be read, and confirms it.
func (k *Kept) delivery(m jetstream.Msg) *Delivery {
	r, wrong := dealt(m.Subject(), m.Headers(), m.Data())
	if wrong == "" {
		k.conn.metrics.received.Inc()
		return &Delivery{Raw: r, msg: m}
	}
	k.conn.metrics.ignored.WithLabelValues(wrong).Inc()
	_ = m.Ack() // if that fails it comes again
	return nil
}

// Delivery is a message that is kept until it is confirmed.
type Delivery struct {
	Raw
	msg jetstream.Msg
}

// Confirm says that the message is done. If that is lost on the way, another member gets it, too.
func (d *Delivery) Confirm() { _ = d.msg.Ack() }

// Working asks for another [KeptFor] of time.
func (d *Delivery) Working() { _ = d.msg.InProgress() }

// Return gives the message to another member at once.
func (d *Delivery) Return() { _ = d.msg.Nak() }
