package congestion

import "time"

// cut is the last time that the rate was cut.
type cut struct {
	at       time.Time
	received float64       // bit/s, when it was cut
	queue    time.Duration // for how long packets waited, if because of that
	policed  time.Duration // for how long the rate is not tried again, if because of losses
	judged   time.Duration // what departs from then on shows the effect; 0: it has been seen
	vain     int           // how often it had none, in a row
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

	// While the queue stays, the rate falls to this share, until that has been in vain so often although less was sent
	// than this share of what was received at first.
	cutMore, vainCuts, sentLess = 0.85, 1, 0.95

	// How many packets are lost where a short queue overflows, at least, and which share of what trains show is nearly
	// all.
	overflowing, overflowFew, nearly = 0.01, 4, 0.85

	// Where the path passes less than this share of what arrived in the last second, the rate falls to this share of it.
	steep, toReceivedSteep = 0.5, 0.75
)

// fall answers a queue.
func (c *Controller) fall(now time.Time, clock time.Duration) {
	if now.Sub(c.cut.at) < cutGap || c.shorter {
		return
	}
	received := c.passes()
	worse := received < shrunk*c.cut.received && c.queue > c.cut.queue+longer
	switch {
	case c.cut.judged > 0 && c.newest >= c.cut.judged:
		c.judge(now, clock)
	case c.rate > 0 && toReceived*received >= c.rate: // it is low enough
	case c.newest < c.cut.judged && !worse: // it has not shown its effect
	default:
		judged := c.cut.judged // of the first of several cuts: others may take what these give up
		if c.newest >= judged {
			judged = clock + c.drains()
		}
		share := toReceived
		if received < steep*c.came.over(time.Second) { // much is on the way that has to pass first
			share = toReceivedSteep
		}
		c.limit(share * received)
		c.cut = cut{at: now, received: received, queue: c.queue, judged: judged}
	}
}

// drains is when a cut shows its effect.
func (c *Controller) drains() time.Duration { return cutSettle + min(4*c.queue, longest) }

// judge looks at the effect of the last cut. If the queue has not become shorter, more is cut: others who send through
// the same bottleneck may leave less of it than it seemed. If that does not help several times although less is sent,
// the queue is not ours.
func (c *Controller) judge(now time.Time, clock time.Duration) {
	before := c.cut.queue
	c.cut.queue, c.cut.judged = c.queue, clock+c.drains()
	if c.queue < before*4/5 {
		return
	}
	if c.sent.until(c.newest, sustained) < sentLess*c.cut.received {
		c.cut.vain++
	}
	if c.cut.vain > vainCuts {
		c.accept(now)
		return
	}
	c.limit(cutMore * c.rate)
	c.cut.at = now
}

// overflows reports whether packets are lost while nearly all is used that trains show: the queue of the path is too
// short to be seen before it is full.
func (c *Controller) overflows(share float64) bool {
	few := share < overflowing+c.losses.inherent || c.losses.lost() < overflowFew
	return !few && c.trains.lately > 0 && c.came.over(time.Second) > nearly*c.trains.lately
}

// yield answers an overflow.
func (c *Controller) yield(now time.Time) {
	if now.Sub(c.cut.at) < time.Second {
		return
	}
	passes := min(c.passes(), c.trains.lately)
	c.limit(toReceived * passes)
	c.cut = cut{at: now, received: passes}
}

// accept takes the delay of the queue for that of the path.
func (c *Controller) accept(now time.Time) {
	base, _ := c.least.value()
	c.least.forget()
	c.least.add(base+c.queue, now)
	c.turns.forget()
	c.queue, c.cut.judged, c.cut.vain = 0, 0, 0
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
