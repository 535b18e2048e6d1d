// Package pace keeps sound that no hardware times in step with the clock: so many frames a second, for as long as it goes on.
package pace

import (
	"context"
	"time"

	"github.com/waldo-robot/waldo/services/audio/pcm"
)

// patience is how far behind one may be and still catch up. Later than that, as after a sleep of the computer, time is left out.
const patience = 500 * time.Millisecond

// Run calls step for every block of so many frames, when its last frame has passed, with the time of its first, until ctx ends or step
// fails. Each time is counted from the beginning, so that errors do not add up, by the monotonic clock.
func Run(ctx context.Context, format pcm.Format, block int, step func(at time.Time) error) error {
	block = max(block, 1)
	begin := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for done := int64(0); ; done += int64(block) {
		at, due := begin.Add(format.Duration(done)), begin.Add(format.Duration(done+int64(block)))
		wait := time.Until(due)
		if wait < -patience {
			begin, done = time.Now().Add(-format.Duration(int64(block))), 0
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
		if err := step(at); err != nil {
			return err
		}
	}
}
