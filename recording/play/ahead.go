package play

import (
	"context"
	"io"
)

// ahead reads messages before they are needed. It owns a goroutine, which stop ends.
type ahead struct {
	read   chan Message
	err    error // why there is no more; set before read is closed
	cancel context.CancelFunc
}

// newAhead begins to read.
func newAhead(ctx context.Context, from *Messages) *ahead {
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead{read: make(chan Message, readAhead), err: io.EOF, cancel: cancel}
	go func() {
		defer close(a.read)
		for {
			m, err := from.Next()
			if err != nil {
				a.err = err
				return
			}
			select {
			case a.read <- m:
			case <-ctx.Done():
				a.err = ctx.Err()
				return
			}
		}
	}()
	return a
}

// next returns the next message.
func (a *ahead) next(ctx context.Context) (Message, error) {
	select {
	case m, more := <-a.read:
		if !more {
			return Message{}, a.err
		}
		return m, nil
	case <-ctx.Done():
		return Message{}, ctx.Err()
	}
}

// stop ends the goroutine, and waits for it.
func (a *ahead) stop() {
	a.cancel()
	for range a.read { // until it is closed
	}
}
