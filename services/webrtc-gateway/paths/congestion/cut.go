package congestion

import "time"

// cut is the last time that the rate was cut.
type cut struct {
	at       time.Time
	received float64       // bit/s, when it was cut
	queue    time.Duration // for how long packets waited, if because of that
	policed  time.Duration // for how long the rate is not tried again, if because of losses
	judged   time.Duration // what departs from then on shows the effect; 0: it has been seen
}

const (
	failedFor = 6 * time.Second // for how long growing is careful near a rate that failed
	// For how long a rate is not tried again where there is no queue, at first and at most: there only pictures that are
	// lost tell that it fails.
	policedLeast, policedMost = 5 * time.Second, 40 * time.Second

	cutGap    = 150 * time.Millisecond // between cuts
	cutSettle = 100 * time.Millisecond // until what is sent follows the rate
	longest   = time.Second            // until a queue should be shorter

	// A cut is not enough if less than this share of what was received at the cut arrives, and the queue has become longer
	// by this much.
	shrunk, longer = 0.85, 15 * time.Millisecond
)

// fall answers a queue.
func (c *Controller) fall(now time.Time, clock time.Duration) {
	received := c.passes()
	worse := received < shrunk*c.cut.received && c.queue > c.cut.queue+longer
	switch {
	case now.Sub(c.cut.at) < cutGap:
	case c.inVain():
		c.accept(now)
	case c.rate > 0 && toReceived*received >= c.rate: // it is low enough
	case c.newest < c.cut.judged && !worse:
	default:
		c.limit(toReceived * received)
		judged := c.cut.judged // of the first of several cuts: others may take what these give up
		if c.newest >= judged {
			judged = clock + cutSettle + min(4*c.queue, longest)
		}
		c.cut = cut{at: now, received: received, queue: c.queue, judged: judged}
	}
}

// inVain reports whether the queue has stayed although less was sent than arrived before: it is not ours.
func (c *Controller) inVain() bool {
	if c.cut.judged == 0 || c.newest < c.cut.judged || c.queue < max(c.cut.queue/2, queueLossy) {
		return false
	}
	return c.sent.until(c.newest, sustained) < 0.95*c.cut.received
}

// accept takes the delay of the queue for that of the path.
func (c *Controller) accept(now time.Time) {
	base, _ := c.least.value()
	c.least.forget()
	c.least.add(base+c.queue, now)
	c.queue, c.cut.judged = 0, 0
}

// answer answers losses without a queue.
func (c *Controller) answer(now time.Time) {
	if c.rate == 0 {
		c.rate = c.sent.over(time.Second)
	}
	received := c.came.over(time.Second)
	before := c.rate
	c.rate = max(c.losses.answer(c.rate, received, now), floor)
	if c.rate >= before {
		return
	}
	hold := policedLeast
	if c.cut.policed > 0 && now.Sub(c.cut.at) < 4*c.cut.policed {
		hold = min(2*c.cut.policed, policedMost)
	}
	c.cut = cut{at: now, received: received, policed: hold}
}

// policed reports whether the path lost too much lately, without a queue.
func (c *Controller) policed(now time.Time) bool {
	return now.Sub(c.cut.at) < c.cut.policed
}

// bursty reports whether bursts may pass the path faster than it carries anything else, as those of a policer do.
func (c *Controller) bursty(now time.Time) bool { return now.Sub(c.cut.at) < 4*c.cut.policed }

// failed reports whether the rate is near one that failed lately.
func (c *Controller) failed(now time.Time) bool {
	near := c.rate > 0.75*c.cut.received && c.rate < 1.1*c.cut.received
	return near && now.Sub(c.cut.at) < failedFor
}
