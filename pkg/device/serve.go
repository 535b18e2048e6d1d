package device

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
)

// reopenAfter is how long [Serve] waits before it opens another reader in place of one that failed.
const reopenAfter = time.Second

// Reader is what [Serve] publishes from.
type Reader[M proto.Message] interface {
	// Next waits for the next message; it returns an error when ctx or the reader ends.
	Next(ctx context.Context) (M, error)
	Close()
}

// Serve publishes what a reader delivers whenever somebody on the bus holds the stream, until ctx ends. The reader is
// opened for the first holder and closed after the last. One that fails is logged, and another is opened after a
// second.
func Serve[M proto.Message, R Reader[M]](ctx context.Context, o *Out[M], open func() (R, error)) {
	_ = o.WhileHeld(ctx, func(ctx context.Context) error { // returns when ctx ends, which is no failure
		for told := ""; ; {
			err := publishAll(ctx, o, open)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if why := fmt.Sprint(err); why != told { // what cannot be opened at all is told once
				o.kit.Log.Warn("the stream was interrupted; it is opened again", "stream", o.name, "error", err)
				told = why
			}
			select {
			case <-ctx.Done():
			case <-time.After(reopenAfter):
			}
		}
	})
}

// publishAll returns why the reader ended.
func publishAll[M proto.Message, R Reader[M]](ctx context.Context, o *Out[M], open func() (R, error)) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		m, err := r.Next(ctx)
		if err != nil {
			return err
		}
		o.Publish(m)
	}
}
