package sim

import (
	"context"
	"time"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// patience is how far behind a pace may be and still catch up. Later than that, as after the computer was suspended,
// time is left out.
const patience = 500 * time.Millisecond

// Pace keeps sound that no hardware times in step with the clock: so many frames a second. Format is required.
type Pace struct {
	Format pcm.Format
	Block  int // frames in a block; default: 10 ms
	// Batch returns in how many frames somebody needs the sound. The pace then waits for that long, in whole blocks, and
	// at least for one. Nil: for one.
	Batch func() int
}

// frames is how many the next step has.
func (p *Pace) frames() int64 {
	block := p.block()
	if p.Batch == nil {
		return int64(block)
	}
	return int64(block * max(1, p.Batch()/block))
}

func (p *Pace) block() int {
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
		if wait < -patience {
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
