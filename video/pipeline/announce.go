package pipeline

import (
	"context"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// announceQueue is how many captures may wait to be announced. Each holds its picture.
const announceQueue = 8

// Announcer announces captures. It belongs to one goroutine, but Close may be called from any.
type Announcer struct {
	epoch    int64
	captures *stream.Subscription[*capture]
}

// Announce returns an Announcer of all captures from now on, whatever is made of them. Unlike a reader it starts no
// capture: what nobody captures for another reason is not announced. One that is late loses the oldest. Close it.
func (p *Pipeline) Announce() *Announcer {
	return &Announcer{p.config.Epoch, p.captured.Subscribe(stream.DropOldest(announceQueue))}
}

// Next waits for the next capture, also while the source is away. Its time is that of every frame that shows the
// picture: an inter-coded source that is decoded delivers its pictures with the times of its frames, in another order
// if it has B frames. It fails with the context's error, or io.EOF after Close.
func (a *Announcer) Next(ctx context.Context) (*mediav1.Capture, error) {
	c, err := a.captures.Next(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, io.EOF
	}
	var f mediav1.VideoFrame
	c.stamp(&f, c.frame.Time)
	return &mediav1.Capture{
		Epoch: c.epoch(a.epoch), CaptureTime: f.GetCaptureTime(), Age: durationpb.New(max(0, time.Since(c.frame.Time))),
	}, nil
}

// Close ends the Announcer. It may be called more than once.
func (a *Announcer) Close() { a.captures.Close() }
