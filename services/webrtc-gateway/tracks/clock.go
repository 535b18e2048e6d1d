package tracks

import "time"

const (
	videoRate = 90_000 // of RTP video, per second
	// A capture time further than this from the one expected by the frame's arrival means that the device's clock was set.
	maxDrift = time.Second
)

// rtpClock turns capture times into RTP timestamps. Within one epoch, two timestamps are as far apart as the
// captures; across a new epoch or a jump of the device's clock, as far apart as the arrivals.
type rtpClock struct {
	epoch   int64
	started bool
	// The anchor ties a timestamp to a time of the device's clock and of ours.
	anchor        uint32
	anchorCapture time.Time
	anchorArrival time.Time
	last          uint32
	lastArrival   time.Time
}

// stamp returns the timestamp of a frame. Timestamps are strictly increasing (modulo 2^32).
func (c *rtpClock) stamp(epoch int64, capture, arrival time.Time) uint32 {
	if capture.IsZero() {
		capture = arrival
	}
	if !c.started || epoch != c.epoch || c.drifted(capture, arrival) {
		c.reanchor(epoch, capture, arrival)
	}
	ts := c.anchor + ticks(capture.Sub(c.anchorCapture), videoRate)
	if c.started && int32(ts-c.last) <= 0 {
		ts = c.last + 1
	}
	c.started, c.last, c.lastArrival = true, ts, arrival
	return ts
}

func (c *rtpClock) drifted(capture, arrival time.Time) bool {
	return (capture.Sub(c.anchorCapture) - arrival.Sub(c.anchorArrival)).Abs() > maxDrift
}

func (c *rtpClock) reanchor(epoch int64, capture, arrival time.Time) {
	c.epoch, c.anchorCapture, c.anchorArrival = epoch, capture, arrival
	if c.started {
		c.anchor = c.last + max(1, ticks(arrival.Sub(c.lastArrival), videoRate))
	}
}

// ticks converts a duration to ticks of a clock with this rate. The result wraps as timestamps do, so it is correct for
// negative and for long durations.
func ticks(d time.Duration, rate int64) uint32 {
	whole, rest := d/time.Second, d%time.Second
	return uint32(int64(whole)*rate + int64(rest)*rate/int64(time.Second))
}
