package standard

import "time"

// clock turns the wall-clock times of pictures into the times of an encoder, which begin at 0 and only increase. The zero
// value is ready.
type clock struct {
	start   time.Time
	last    time.Duration
	started bool
}

// next returns the time of the next picture, and how long after the last one it is; 0 for the first.
func (c *clock) next(at time.Time) (now, step time.Duration) {
	if !c.started {
		c.started, c.start = true, at
		return 0, 0
	}
	now = max(at.Sub(c.start), c.last+time.Millisecond) // the system's clock may be set back
	step, c.last = now-c.last, now
	return now, step
}
