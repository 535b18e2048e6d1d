package stream

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"
)

var (
	// ErrClosed is returned by Next after the reader closed its own subscription, and by
	// [Shared.Acquire] after Close.
	ErrClosed = errors.New("closed")
	// ErrOverflow ends a Strict subscription whose reader fell too far behind.
	ErrOverflow = errors.New("reader too slow: queue overflowed")
)

// Subscription is one reader's queue. Leaving a loop over [Subscription.All] does not close it.
type Subscription[T any] struct {
	policy Policy
	leave  func(*Subscription[T])

	ready chan struct{} // holds a token when there may be something for the reader
	room  chan struct{} // holds a token when there may be room for a waiting producer

	mu    sync.Mutex
	queue ring[waiting[T]]
	err   error // why it ended; nil while it runs
	lost  uint64
}

// waiting is a value in the queue.
type waiting[T any] struct {
	value T
	since time.Time // zero if its age does not matter
}

func newSubscription[T any](p Policy, leave func(*Subscription[T])) *Subscription[T] {
	return &Subscription[T]{
		policy: p,
		leave:  leave,
		ready:  make(chan struct{}, 1),
		room:   make(chan struct{}, 1),
		queue:  ring[waiting[T]]{limit: p.capacity()},
	}
}

// Next returns the next value, waiting for it if necessary. Once the subscription has ended and its
// queue is empty it returns the reason: [io.EOF], the error given to [Topic.Close], [ErrOverflow] or
// [ErrClosed]. Once ctx has ended it returns the error of ctx even if values are queued: a producer that
// is faster than the reader does not keep an ended loop alive.
func (s *Subscription[T]) Next(ctx context.Context) (T, error) {
	for {
		if err := ctx.Err(); err != nil {
			var none T
			return none, err
		}
		v, ok, err := s.take()
		if ok || err != nil {
			return v, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return v, ctx.Err()
		}
	}
}

// TryNext returns the next value that is queued, without waiting; false if there is none. It is for a
// reader that has to pass on the values that came before it was ended.
func (s *Subscription[T]) TryNext() (T, bool) {
	v, ok, _ := s.take()
	return v, ok
}

// All yields values until the subscription ends or the loop is left. Any end but [io.EOF] is yielded as
// a last error.
func (s *Subscription[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := s.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Lost returns how many values were not delivered because the reader was too slow.
func (s *Subscription[T]) Lost() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// Close leaves the topic, discards what is queued and wakes a waiting Next. It may be called more than once.
func (s *Subscription[T]) Close() {
	s.leave(s)
	s.mu.Lock()
	if s.err == nil {
		s.err = ErrClosed
	}
	s.queue.clear()
	s.mu.Unlock()
	signal(s.ready)
	signal(s.room)
}

// end lets the reader take the queued values and then returns err to it.
func (s *Subscription[T]) end(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	signal(s.ready)
	signal(s.room)
}

func (s *Subscription[T]) take() (v T, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		w, ok := s.queue.pop()
		switch {
		case !ok:
			return v, false, s.err
		case w.since.IsZero() || time.Since(w.since) <= s.policy.age:
			signal(s.room)
			return w.value, true, nil
		}
		s.lost++
		if s.policy.overflow == end {
			s.overflowed()
			s.queue.clear()
		}
	}
}

// overflowed ends a subscription that must not lose anything but has. It requires mu.
func (s *Subscription[T]) overflowed() {
	if s.err == nil {
		s.err = ErrOverflow
	}
	signal(s.ready)
	s.leave(s) // the topic never takes s.mu under its own lock, so this cannot deadlock
}

// put queues v according to the policy, and waits only under Block.
func (s *Subscription[T]) put(v T) {
	for !s.offer(v) {
		<-s.room
	}
}

// offer reports false if the producer has to wait for room.
func (s *Subscription[T]) offer(v T) (done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		// Ended: nobody will read v.
		signal(s.room) // another producer may be waiting too
		return true
	case !s.queue.full():
	case s.policy.overflow == wait:
		return false
	case s.policy.overflow == end:
		s.lost++
		s.overflowed()
		return true
	default:
		s.queue.pop()
		s.lost++
	}
	w := waiting[T]{value: v}
	if s.policy.age > 0 && s.policy.overflow != wait {
		w.since = time.Now()
	}
	s.queue.push(w)
	if s.policy.overflow == wait && !s.queue.full() {
		signal(s.room)
	}
	signal(s.ready)
	return true
}

// signal leaves one token; more would add nothing.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
