package stream

import "context"

// Reader is a source of values; a [Subscription] is one. Next waits for a value; an error means the end.
type Reader[T any] interface {
	Next(ctx context.Context) (T, error)
}

// Getter is a function as a Reader: it is called when, and only when, somebody reads. It has to return when
// ctx ends.
type Getter[T any] func(ctx context.Context) (T, error)

// Next calls the function. Once ctx has ended it does not, and returns the error of ctx.
func (g Getter[T]) Next(ctx context.Context) (T, error) {
	if err := ctx.Err(); err != nil {
		var none T
		return none, err
	}
	return g(ctx)
}
