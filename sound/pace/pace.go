// Package pace keeps sound that no hardware times in step with the clock of the computer: a tone, a file, a speaker
// behind a network.
//
// A [Pace] is a value that is not changed. Run may be called by several goroutines; it starts none, and ends with its
// context.
package pace

import (
	"cmp"
	"context"
	"time"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// Patience is how far behind a pace may usually be and still catch up.
const Patience = 500 * time.Millisecond

// Pace is so many frames a second. Format is required.
type Pace struct {
	Format pcm.Format
	Block  int // frames in a block; default: 10 ms
	// Batch returns in how many frames somebody needs the sound. The pace then waits for that long, in whole blocks, and
	// at least for one. Nil: for one.
	Batch func() int
	// Patience is how far behind it may be and still catch up. Later than that, as after the computer was suspended, time
	// is left out. Default: [Patience].
	Patience time.Duration
}

// frames is how many the next step has.
func (p *Pace) frames() int64 {
	block := p.Length()
	if p.Batch == nil {
		return int64(block)
	}
	return int64(block * max(1, p.Batch()/block))
}

// Length is how many frames a block has.
func (p *Pace) Length() int {
	if p.Block > 0 {
		return p.Block
	}
	return max(1, p.Format.Frames(10*time.Millisecond))
}

// Run calls step for so many frames, when the last of them has passed, with the time of the first, until ctx ends or
// step fails. Each time is counted from the beginning, so that errors do not add up, by the monotonic clock.
func (p *Pace) Run(ctx context.Context, step func(at time.Time, frames int) error) error {
	begin, done := time.Now(), int64(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		frames := p.frames()
		at, due := begin.Add(p.Format.Duration(done)), begin.Add(p.Format.Duration(done+frames))
		wait := time.Until(due)
		if wait < -cmp.Or(p.Patience, Patience) {
			begin, done = time.Now().Add(-p.Format.Duration(frames)), 0
			at, wait = begin, 0
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if ctx.Err() != nil { // both may be true, if the steps are slow
			return nil
		}
		if err := step(at, int(frames)); err != nil {
			return err
		}
		done += frames
	}
}
