package stream

import (
	"context"
	"io"
	"slices"
	"sync"
)

// Topic is a place to publish values of one type. Its zero value is not usable: see [NewTopic].
type Topic[T any] struct {
	mu sync.Mutex
	// subs is replaced, never changed, so that Publish can walk it without holding mu while it waits for
	// a Block reader.
	subs   []*Subscription[T]
	err    error
	demand Demand // one user while there are readers
	unread func() // ends that
}

// NewTopic makes a topic without readers.
func NewTopic[T any]() *Topic[T] { return &Topic[T]{} }

// Subscribe adds a reader that receives values published from now on. Subscribing to a closed topic
// returns a subscription that has already ended.
func (t *Topic[T]) Subscribe(p Policy) *Subscription[T] {
	s := newSubscription[T](p, t.remove)
	if err := t.add(s); err != nil {
		s.end(err)
	}
	return s
}

// Publish gives v to all readers. It returns at once, unless a reader with policy [Block] has no room;
// then it waits until that reader has taken a value or left. On a closed topic it does nothing.
func (t *Topic[T]) Publish(v T) {
	for _, s := range t.readers() {
		s.put(v)
	}
}

// Subscribers returns how many readers there are.
func (t *Topic[T]) Subscribers() int { return len(t.readers()) }

// WhileRead runs work whenever there is a reader, and cancels its context when the last one has left:
// see [Demand.While].
func (t *Topic[T]) WhileRead(ctx context.Context, work func(context.Context) error) error {
	return t.demand.While(ctx, work)
}

// Close ends all readers with err, or [io.EOF] if err is nil, after they took what is queued. Only the
// first call counts.
func (t *Topic[T]) Close(err error) {
	if err == nil {
		err = io.EOF
	}
	t.mu.Lock()
	if t.err != nil {
		t.mu.Unlock()
		return
	}
	subs := t.subs
	t.err, t.subs = err, nil
	t.countLocked()
	t.mu.Unlock()
	for _, s := range subs {
		s.end(err)
	}
}

func (t *Topic[T]) readers() []*Subscription[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.subs
}

func (t *Topic[T]) add(s *Subscription[T]) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.subs = append(slices.Clip(t.subs), s)
		t.countLocked()
	}
	return t.err
}

func (t *Topic[T]) remove(s *Subscription[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subs = slices.DeleteFunc(slices.Clone(t.subs), func(x *Subscription[T]) bool { return x == s })
	t.countLocked()
}

// countLocked makes demand what subs says.
func (t *Topic[T]) countLocked() {
	switch read := len(t.subs) > 0; {
	case read && t.unread == nil:
		t.unread = t.demand.Want()
	case !read && t.unread != nil:
		t.unread()
		t.unread = nil
	}
}
