package board

import (
	"context"
	"fmt"

	"github.com/waldo-robot/waldo/pkg/device"
)

// waitingWrites is how many messages may wait for a slow board.
const waitingWrites = 64

// write is a message that waits to be written.
type write struct {
	ctx     context.Context
	payload []byte
	done    chan<- error
}

// Write hands a payload to the board and returns when the port has it. It fails with an error that wraps
// device.ErrAway while the board is away or not ready, with [ErrFull], or with the error of ctx; a
// payload not written by then is never written.
func (b *Board) Write(ctx context.Context, payload []byte) error {
	done := make(chan error, 1)
	if err := b.enqueue(write{ctx, payload, done}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the board did not accept the message in time; it will not be written: %w", ctx.Err())
	}
}

func (b *Board) enqueue(w write) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ready {
		return fmt.Errorf("%w or not ready yet", device.ErrAway)
	}
	select {
	case b.writes <- w:
		return nil
	default:
		return ErrFull
	}
}

// runWrites writes messages in their order until finish is closed, and refuses the rest.
func (b *Board) runWrites(l *line, finish <-chan struct{}) error {
	for {
		select {
		case <-finish:
			b.refuseWrites()
			return nil
		case w := <-b.writes:
			err := w.ctx.Err()
			if err == nil {
				err = l.write(w.payload)
			}
			w.done <- err
			if err != nil && w.ctx.Err() == nil {
				b.setReady(false) // nothing is added after those refused now
				b.refuseWrites()
				return err
			}
		}
	}
}

func (b *Board) refuseWrites() {
	for {
		select {
		case w := <-b.writes:
			w.done <- fmt.Errorf("%w now", device.ErrAway)
		default:
			return
		}
	}
}
