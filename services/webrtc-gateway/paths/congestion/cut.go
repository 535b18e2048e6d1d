package congestion

import "time"

// cut is the last time that the rate was cut because of a queue.
type cut struct {
	at       time.Time
	received float64       // bit/s, when it was cut
	queue    time.Duration // likewise
	drained  time.Time     // when the queue should be gone
	losses   bool          // it was cut because of losses, without a queue
}

const (
	// For how long growing is careful near a rate that failed, and for how long a rate is not tried again where there is
	// no queue: there only pictures that are lost tell that it fails.
	failedFor, failedLosses = 6 * time.Second, 20 * time.Second
	cutGap                  = 150 * time.Millisecond
)

// fall answers a queue.
func (c *Controller) fall(now time.Time, clock time.Duration) {
	received := c.came.over(brief)
	switch {
	case now.Sub(c.cut.at) < cutGap:
	case !c.cut.drained.IsZero() && now.After(c.cut.drained) && c.queue > c.cut.queue/2 && c.sentLess(clock):
		c.accept(now)
	case c.rate == 0 || toReceived*received < c.rate:
		rising := c.queue > c.cut.queue+cutGap/10
		if now.Before(c.cut.drained) && !rising && c.rate > 0 {
			return
		}
		c.limit(toReceived * received)
		c.cut = cut{at: now, received: received, queue: c.queue}
		c.cut.drained = now.Add(c.turn() + cutGap + 4*c.queue)
	}
}

// sentLess reports whether less is sent than was received when the rate was cut.
func (c *Controller) sentLess(clock time.Duration) bool {
	return c.sent.until(clock, time.Second/2) < 0.95*c.cut.received
}

// accept takes the delay of the queue for that of the path.
func (c *Controller) accept(now time.Time) {
	base, _ := c.least.value()
	c.least.forget()
	c.least.add(base+c.queue, now)
	c.queue, c.cut.drained, c.cut.queue = 0, time.Time{}, 0
}

// answer answers losses without a queue.
func (c *Controller) answer(now time.Time) {
	if c.rate == 0 {
		c.rate = c.sent.over(time.Second)
	}
	received := c.came.over(time.Second)
	before := c.rate
	c.rate = max(c.losses.answer(c.rate, received, now), floor)
	if c.rate < before {
		c.cut = cut{at: now, received: received, losses: true}
	}
}

// policed reports whether the path lost too much lately, without a queue. Bursts may pass such a path faster than it
// carries anything else.
func (c *Controller) policed(now time.Time) bool {
	return c.cut.losses && now.Sub(c.cut.at) < failedLosses
}

// failed reports whether the rate is near one that failed lately.
func (c *Controller) failed(now time.Time) bool {
	near := c.rate > 0.75*c.cut.received && c.rate < 1.1*c.cut.received
	return near && now.Sub(c.cut.at) < failedFor
}
