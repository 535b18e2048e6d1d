package film

import (
	"context"
	"fmt"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
)

const (
	// repeatAfter is how long nothing must have come before the picture is repeated, and how often it then is.
	repeatAfter = 250 * time.Millisecond
	// anotherEvery is how far apart key frames are that are asked for.
	anotherEvery = time.Second
)

// projector is what a Capture shows. It belongs to the goroutine that captures.
type projector struct {
	place  int64 // jumps before the last frame
	epoch  int64
	gap    source.Gap
	group  media.Group[source.Frame] // that was shown
	keyed  time.Time                 // when a key frame was made on request
	onward func(source.Frame)
}

// capture shows what comes, and first the picture that was shown last, until ctx ends.
func (r *reel) capture(ctx context.Context, deliver func(source.Frame)) {
	r.onward = deliver
	if ctx.Err() == nil && r.group.Len() > 0 {
		r.begin()
	}
	for {
		waiting, cancel := context.WithTimeout(ctx, repeatAfter)
		s, err := r.queue.Next(waiting)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil: // nobody closes the topic: it took too long
			r.still.Store(true)
			r.repeat()
			continue
		}
		r.still.Store(false)
		wait(ctx, time.Until(s.due))
		if f, ok := r.gap.Close(s.Frame, r.queue.Lost()); ok {
			if s.jump != r.place || r.epoch == 0 {
				r.place, r.epoch = s.jump, access.NewID()
			}
			r.project(f)
		}
	}
}

// wait waits for so long, or until ctx ends: what was taken from the queue is shown even then.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// project shows a frame, and keeps what the picture depends on.
func (r *reel) project(f source.Frame) {
	replay := *f.Replay
	replay.Epoch = r.epoch
	replay.Lead = nil
	for _, l := range f.Replay.Lead {
		own := *l.Replay
		own.Epoch = r.epoch
		l.Replay = &own
		replay.Lead = append(replay.Lead, l)
		r.group.Add(l, len(l.Data), l.Key)
	}
	f.Replay = &replay
	r.onward(f)
	r.group.Add(f, len(f.Data), f.Key)
}

// begin shows the picture that was shown last as the first one of an epoch.
func (r *reel) begin() {
	all := r.group.Frames()
	f := all[len(all)-1]
	replay := *f.Replay
	replay.Lead = nil
	now := time.Now()
	for _, l := range all[:len(all)-1] {
		l.Time = now.Add(-min(max(0, f.Time.Sub(l.Time)), time.Minute))
		own := *l.Replay
		own.Lead = nil
		l.Replay = &own
		replay.Lead = append(replay.Lead, l)
	}
	f.Replay, f.Time = &replay, now
	r.epoch = access.NewID()
	r.project(f)
}

// repeat repeats the picture, or begins an epoch with it if somebody needs a key frame.
func (r *reel) repeat() {
	all := r.group.Frames()
	if len(all) == 0 {
		return
	}
	select {
	case <-r.another:
		if time.Since(r.keyed) >= anotherEvery {
			r.keyed = time.Now()
			r.begin()
			return
		}
	default:
	}
	f := all[len(all)-1]
	replay := *f.Replay
	replay.Epoch, replay.Lead, replay.Again = r.epoch, nil, true
	f.Replay, f.Time = &replay, time.Now()
	r.onward(f)
}

// KeyFrameOnRequest implements [source.KeyFramer]: key frames come where they were recorded.
func (*reel) KeyFrameOnRequest() bool { return false }

// WantKeyFrame implements [source.KeyFramer].
func (r *reel) WantKeyFrame() {
	if !r.still.Load() {
		return
	}
	select {
	case r.another <- struct{}{}:
	default:
	}
}

// RequestKeyFrame implements [source.KeyFramer].
func (r *reel) RequestKeyFrame(context.Context) error {
	if !r.still.Load() {
		return fmt.Errorf("%w: a replay that plays has key frames where they were recorded; pause it", source.ErrNoKeyFrame)
	}
	r.WantKeyFrame()
	return nil
}
