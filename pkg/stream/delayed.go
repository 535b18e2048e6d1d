package stream

import (
	"context"
	"sync"
)

// Delayed is a subscription that begins when it is first read, so nothing published before that waits
// for the reader. Like a Subscription it has one reader at a time, and Close may be called from
// anywhere.
type Delayed[T any] struct {
	topic  *Topic[T]
	policy Policy

	mu     sync.Mutex
	sub    *Subscription[T] // nil until it is read
	closed bool
}

// Delay returns a subscription to topic that begins with the first call of Next.
func Delay[T any](topic *Topic[T], p Policy) *Delayed[T] {
	return &Delayed[T]{topic: topic, policy: p}
}

// Next is like [Subscription.Next], for values published from the first call on.
func (d *Delayed[T]) Next(ctx context.Context) (T, error) {
	s, err := d.begin()
	if err != nil {
		var none T
		return none, err
	}
	return s.Next(ctx)
}

// Lost returns how many values were not delivered because the reader was too slow after it began.
func (d *Delayed[T]) Lost() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sub == nil {
		return 0
	}
	return d.sub.Lost()
}

// Close ends the subscription, whether it has begun or not, and discards its queue. It may be called
// more than once.
func (d *Delayed[T]) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.sub != nil {
		d.sub.Close()
	}
}

func (d *Delayed[T]) begin() (*Subscription[T], error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.sub != nil:
	case d.closed:
		return nil, ErrClosed
	default:
		d.sub = d.topic.Subscribe(d.policy)
	}
	return d.sub, nil
}
