package standard

import "time"

// defaultRate is what an encoder assumes if the source does not report its rate.
const defaultRate = 30

// clock turns the wall-clock times of pictures into what an encoder needs: times that begin at 0 and only increase, and
// the actual picture rate.
type clock struct {
	start   time.Time
	last    time.Duration
	started bool
	step    float64 // seconds between two pictures, averaged over about a second
}

// newClock returns a clock for a source that reports a rate; 0 if it reports none.
func newClock(rate float64) clock {
	if rate == 0 {
		rate = defaultRate
	}
	return clock{step: 1 / rate}
}

// setRate tells that pictures come at another rate from now on; 0 if it is not known.
func (c *clock) setRate(rate float64) { c.step = newClock(rate).step }

// next returns the time of the next picture.
func (c *clock) next(at time.Time) time.Duration {
	if !c.started {
		c.started, c.start = true, at
		return 0
	}
	now := max(at.Sub(c.start), c.last+time.Millisecond) // the system's clock may be set back
	const smoothing, longest = 1.0 / 32, 3               // a pause does not mean that the camera is slow
	c.step += (min((now-c.last).Seconds(), 1, longest*c.step) - c.step) * smoothing
	c.last = now
	return now
}
