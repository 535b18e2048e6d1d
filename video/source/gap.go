package source

import (
	"context"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Gap leaves out frames that cannot be decoded because something before them was lost in a queue, or left out. The zero
// value is ready to use, by one goroutine.
type Gap struct {
	lost    uint64 // so far
	missing int    // frames since the last that was delivered
	open    bool
}

// Skip leaves out a frame.
func (g *Gap) Skip(f Frame) {
	g.missing += 1 + f.Lost
	g.open = g.open || media.InterCoded(f.Format.GetMediaType())
}

// Close returns a frame that can be decoded, with the number of those lost before it; false if it cannot. lost is what
// the queue has lost so far.
func (g *Gap) Close(f Frame, lost uint64) (Frame, bool) {
	if lost > g.lost {
		g.missing += int(lost - g.lost)
		g.lost, g.open = lost, media.InterCoded(f.Format.GetMediaType())
	}
	if g.open && !f.Begins() {
		g.missing += 1 + f.Lost
		return f, false
	}
	f.Lost += g.missing
	g.missing, g.open = 0, false
	return f, true
}

// Relay delivers the frames of a queue that can be decoded, as Capture of a [Source] does: until ctx ends, then it
// returns nil, or the queue does. wantKey is called for each frame that is left out.
func (g *Gap) Relay(ctx context.Context, queue *stream.Subscription[Frame], wantKey func(), deliver func(Frame)) error {
	for {
		f, err := queue.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		f, ok := g.Close(f, queue.Lost())
		if !ok {
			wantKey()
			continue
		}
		deliver(f)
	}
}
