package stream

import (
	"context"
	"io"
	"sync"
)

// Event is a value that comes once, for any number of readers, also those who come late. It is safe for
// concurrent use. Its zero value is not usable: see [NewEvent].
type Event[T any] struct {
	once    sync.Once
	settled chan struct{}
	value   T     // set before settled is closed
	err     error // likewise: why it will not come
}

// NewEvent returns an event that has not come.
func NewEvent[T any]() *Event[T] { return &Event[T]{settled: make(chan struct{})} }

// Fire gives v to all readers. Only the first call of Fire or Close counts.
func (e *Event[T]) Fire(v T) { e.settle(v, nil) }

// Close ends all readers with err, or [io.EOF] if err is nil. Only the first call of Fire or Close counts.
func (e *Event[T]) Close(err error) {
	var none T
	if err == nil {
		err = io.EOF
	}
	e.settle(none, err)
}

func (e *Event[T]) settle(v T, err error) {
	e.once.Do(func() {
		e.value, e.err = v, err
		close(e.settled)
	})
}

// Settled is closed once Next does not wait any longer.
func (e *Event[T]) Settled() <-chan struct{} { return e.settled }

// Next waits for the value, and returns the same one whenever it is called. It returns the error of Close if
// the value does not come, and that of ctx once ctx has ended.
func (e *Event[T]) Next(ctx context.Context) (T, error) {
	if ctx.Err() == nil {
		select {
		case <-e.settled:
			return e.value, e.err
		case <-ctx.Done():
		}
	}
	var none T
	return none, ctx.Err()
}
