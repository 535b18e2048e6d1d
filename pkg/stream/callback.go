package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// Callback calls a function with each value of a topic, one after another, on a goroutine of its own. What
// the function does costs nobody else anything: while it blocks, values wait for it and are lost as the policy
// says; if it fails, only the callback ends.
type Callback[T any] struct {
	sub   *Subscription[T]
	ended chan struct{}
	err   error // set before ended is closed
}

// Call subscribes f to a topic. An error that f returns ends the callback, as does a panic.
func Call[T any](topic *Topic[T], p Policy, f func(T) error) *Callback[T] {
	c := &Callback[T]{sub: topic.Subscribe(p), ended: make(chan struct{})}
	go c.run(f)
	return c
}

func (c *Callback[T]) run(f func(T) error) {
	defer close(c.ended)
	defer c.sub.Close()
	for v, err := range c.sub.All(context.Background()) {
		switch {
		case errors.Is(err, ErrClosed):
			return
		case err == nil:
			err = contained(f, v)
		}
		if err != nil {
			c.err = err
			return
		}
	}
}

// contained calls f, and makes an error of a panic.
func contained[T any](f func(T) error, v T) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the callback panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return f(v)
}

// Lost returns how many values f was not called with because it was too slow.
func (c *Callback[T]) Lost() uint64 { return c.sub.Lost() }

// Close ends the callback and discards what waits for it. It does not wait for a call that is under way, so f
// may use it: see Ended. It may be called more than once.
func (c *Callback[T]) Close() { c.sub.Close() }

// Ended is closed when the last call has returned: after Close, after the end of the topic and all values that
// were queued, or after f failed.
func (c *Callback[T]) Ended() <-chan struct{} { return c.ended }

// Err returns why the callback ended, once Ended is closed: the error of f, or that of the topic. It is nil
// while the callback runs, after Close, and after a topic's end that is no error.
func (c *Callback[T]) Err() error {
	select {
	case <-c.ended:
		return c.err
	default:
		return nil
	}
}
