package congestion

import "time"

// Packet is a packet that has arrived.
type Packet struct {
	Departed time.Duration // on the sender's clock
	Arrived  time.Duration // on the receiver's clock
	Bytes    int
	// Late packets were sent more than once, or were missing in an earlier report: their delay says nothing.
	Late bool
}

// Report is what has become known of packets.
type Report struct {
	Arrived []Packet // in the order in which they left
	Lost    int      // packets that are missing
	Found   int      // packets that were missing in an earlier report, and have arrived
}

// Controller says how fast packets may be sent. It is not safe for concurrent use.
type Controller struct {
	rate    float64 // bit/s; 0: no limit is known
	want    float64 // bit/s that would be of use
	queue   time.Duration
	shorter bool          // than in the report before
	noise   time.Duration // mean difference of the queue from one report to the next
	least   lowest        // one-way delays
	turns   lowest        // from a departure to its report
	sent    flow          // by the sender's clock
	came    flow          // by the receiver's clock
	busy    busy
	trains  trains
	losses  losses
	window  window
	cutAt   time.Duration // queue from which the rate is cut at once
	cut     cut
	heard   time.Time     // when something was reported last
	queued  time.Time     // when there was a queue last
	short   time.Time     // when there was none last
	newest  time.Duration // when the latest reported packet departed
	grown   time.Time     // when the rate was last let grow
	calm    time.Time     // since when nothing speaks against growing; zero: something does
}

const (
	floor = 100_000.0 // bit/s; below that there is no picture worth sending
	most  = 1e9       // bit/s; no limit beyond that is of use

	// How long packets may wait until the rate is cut: at once, and if it lasts or many are lost.
	queueCut, queueLossy = 55 * time.Millisecond, 28 * time.Millisecond
	queueShort           = 25 * time.Millisecond // if the queue of the path is so short that it overflows before
	queueGrow            = 22 * time.Millisecond // up to which the rate grows
	sustained            = 300 * time.Millisecond
	ownMost              = 20 * time.Millisecond // that a packet itself takes: one of 1200 bytes at 0.5 Mbit/s
	noiseReports         = 64

	lossy = 0.05 // share of losses that does not count as few

	// A tenth of the time from which the least delay and the shortest turn are. A path that becomes longer for good, as by
	// another route, must not be full for long because of that.
	leastPart, turnsPart = 2 * time.Second, 400 * time.Millisecond

	// For how long what was lost is due to a queue.
	afterQueue = lossParts*lossPart + time.Second

	toReceived = 0.9 // of the received rate, to which a cut goes
	brief      = 120 * time.Millisecond
)

// New returns a controller that knows nothing.
func New() *Controller {
	return &Controller{cutAt: queueCut, least: lowest{part: leastPart}, turns: lowest{part: turnsPart}}
}

// Rate returns the bit rate that the path is estimated to carry, in bit/s; 0 if nothing limits it as far as is known.
func (c *Controller) Rate() int64 { return int64(c.rate) }

// Queue returns for how long packets wait on the path.
func (c *Controller) Queue() time.Duration { return c.queue }

// Want tells which bit rate would be of use, in bit/s; 0: what is sent.
func (c *Controller) Want(bps int64) { c.want = float64(bps) }

// Sent takes note of bytes that are sent, at a time by the sender's clock, while so many others are on the way.
func (c *Controller) Sent(bytes int, inFlight int64, now time.Time, clock time.Duration) {
	c.sent.add(clock, bytes)
	if inFlight == 0 {
		c.window.first(now)
	}
}

// Report takes note of what a peer has reported. The clock is the sender's.
func (c *Controller) Report(r Report, now time.Time, clock time.Duration) {
	c.losses.add(len(r.Arrived)+r.Lost, r.Lost-r.Found, now)
	c.window.heard(now)
	c.heard = now
	if c.arrive(r.Arrived, now) {
		c.turns.add(clock-c.newest, now)
	}
	c.overflow(r.Lost)
	c.decide(now, clock)
}

// arrive takes note of packets that have arrived. It reports whether the delay of one of them says something.
func (c *Controller) arrive(packets []Packet, now time.Time) (timed bool) {
	base, known := c.least.value()
	passes := max(c.busy.known, c.came.over(time.Second))
	var least, waited time.Duration // waited: without the time that the packets themselves take
	for _, p := range packets {
		c.came.add(p.Arrived, p.Bytes)
		if p.Late {
			continue
		}
		c.newest = p.Departed
		c.trains.add(p, now)
		delay := p.Arrived - p.Departed
		if known {
			c.busy.add(p, delay-base)
		}
		without := delay - own(p.Bytes, passes)
		if !timed {
			least, waited, timed = delay, without, true
		}
		least, waited = min(least, delay), min(waited, without)
	}
	c.trains.settle(now)
	if timed {
		c.least.add(least, now)
		base, _ = c.least.value()
		c.wait(max(waited-base, 0), now)
	}
	return timed
}

// own is how long a packet takes to pass the bottleneck.
func own(bytes int, bps float64) time.Duration {
	if bps == 0 {
		return 0
	}
	return min(time.Duration(8*float64(bytes)/bps*float64(time.Second)), ownMost)
}

// wait takes note of how long packets wait.
func (c *Controller) wait(queue time.Duration, now time.Time) {
	c.noise += ((queue - c.queue).Abs() - c.noise) / noiseReports
	c.shorter = queue < c.queue*9/10
	c.queue = queue
	if queue > queueLossy {
		c.queued = now
	} else {
		c.short = now
	}
	if queue < queueGrow && c.newest > c.cut.judged {
		c.cut.judged, c.cut.vain = 0, 0
	}
}

// overflow takes note that packets were lost: if others waited meanwhile, the queue is not longer than that.
func (c *Controller) overflow(lost int) {
	if lost > 0 && c.queue > queueShort && c.queue < queueCut {
		c.cutAt = min(c.cutAt, max(c.queue*7/10, queueShort))
	}
}

// decide changes the rate as far as there is reason to.
func (c *Controller) decide(now time.Time, clock time.Duration) {
	share := c.losses.share(now)
	if before, vain := c.losses.judge(now); vain {
		c.rate, c.cut.policed = before, 0
	}
	switch {
	case c.queue > c.cutAt+2*c.noise, c.queue > queueLossy+c.noise && (share > lossy || now.Sub(c.short) > sustained):
		c.calm = time.Time{}
		c.fall(now, clock)
	case c.overflows(share):
		c.calm = time.Time{}
		c.yield(now)
	case c.losses.excess(now) && now.Sub(c.queued) > afterQueue:
		c.calm = time.Time{}
		c.answer(now)
	case c.queue < queueGrow+c.noise && share < lossy+c.losses.inherent:
		if c.calm.IsZero() {
			c.calm, c.grown = now, now
		}
		c.grow(now)
	default:
		c.calm = time.Time{}
	}
	c.window.size(c.carries(), c.turn())
}

// limit sets the rate to at most so much.
func (c *Controller) limit(bps float64) {
	if c.rate == 0 || bps < c.rate {
		c.rate = max(bps, floor)
	}
}

// carries is what the path carries at present, as far as the window is concerned.
func (c *Controller) carries() float64 {
	if c.queue > queueLossy {
		return c.passes()
	}
	return max(c.rate, c.came.over(time.Second), ofTrain*c.trains.lately)
}

// passes is what the bottleneck lets through while packets wait for it.
func (c *Controller) passes() float64 {
	if rate := c.busy.rate(); rate > 0 {
		return rate
	}
	return c.came.over(brief)
}

// turn is the shortest time from a departure to its report.
func (c *Controller) turn() time.Duration {
	d, _ := c.turns.value()
	return max(d, 0)
}
