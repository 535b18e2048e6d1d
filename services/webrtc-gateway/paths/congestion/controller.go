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

// Controller says how fast packets may be sent. The zero value knows nothing. It is not safe for concurrent use.
type Controller struct {
	rate   float64 // bit/s; 0: no limit is known
	want   float64 // bit/s that would be of use
	queue  time.Duration
	least  lowest // one-way delays
	turns  lowest // from a departure to its report
	sent   flow   // by the sender's clock
	came   flow   // by the receiver's clock
	trains trains
	losses losses
	window window
	cut    cut
	heard  time.Time // when something was reported last
	queued time.Time // when there was a queue last
	grown  time.Time // when the rate was last let grow
	calm   time.Time // since when nothing speaks against growing; zero: something does
}

const (
	floor = 100_000.0 // bit/s; below that there is no picture worth sending
	most  = 1e9       // bit/s; no limit beyond that is of use

	// How long packets may wait until the rate is cut: alone, and while many are lost.
	queueCut, queueLossy = 80 * time.Millisecond, 40 * time.Millisecond
	queueGrow            = 30 * time.Millisecond // up to which the rate grows

	lossy = 0.05 // share of losses that does not count as few

	// For how long what was lost is due to a queue.
	afterQueue = lossParts*lossPart + time.Second

	toReceived = 0.9 // of the received rate, to which a cut goes
	brief      = 120 * time.Millisecond
)

// Rate returns the bit rate that the path is estimated to carry, in bit/s; 0 if nothing limits it as far as is known.
func (c *Controller) Rate() int64 { return int64(c.rate) }

// Queue returns for how long packets wait on the path.
func (c *Controller) Queue() time.Duration { return c.queue }

// Received returns the bit rate that has arrived in the last second of arrivals.
func (c *Controller) Received() int64 { return int64(c.came.over(time.Second)) }

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
	newest, timed := c.arrive(r.Arrived, now)
	if timed {
		c.turns.add(clock-newest, now)
	}
	c.decide(now, clock)
}

// arrive takes note of packets that have arrived. It returns when the latest of those left whose delay says something.
func (c *Controller) arrive(packets []Packet, now time.Time) (newest time.Duration, timed bool) {
	var least time.Duration
	for _, p := range packets {
		c.came.add(p.Arrived, p.Bytes)
		if p.Late {
			continue
		}
		if d := p.Arrived - p.Departed; !timed || d < least {
			least = d
		}
		newest, timed = p.Departed, true
		c.trains.add(p, now)
	}
	c.trains.end(now)
	if timed {
		c.least.add(least, now)
		base, _ := c.least.value()
		c.queue = least - base
		if c.queue > queueLossy {
			c.queued = now
		}
	}
	return newest, timed
}

// decide changes the rate as far as there is reason to.
func (c *Controller) decide(now time.Time, clock time.Duration) {
	share := c.losses.share(now)
	if before, vain := c.losses.judge(now); vain {
		c.rate, c.cut.losses = before, false
	}
	switch {
	case c.queue > queueCut, c.queue > queueLossy && share > lossy:
		c.calm = time.Time{}
		c.fall(now, clock)
	case c.losses.excess(now) && now.Sub(c.queued) > afterQueue:
		c.calm = time.Time{}
		c.answer(now)
	case c.queue < queueGrow && share < lossy+c.losses.inherent:
		if c.calm.IsZero() {
			c.calm, c.grown = now, now
		}
		c.grow(now)
	default:
		c.calm = time.Time{}
	}
	c.window.size(c.carries(now), c.turn())
}

// limit sets the rate to at most so much.
func (c *Controller) limit(bps float64) {
	if c.rate == 0 || bps < c.rate {
		c.rate = max(bps, floor)
	}
}

// carries is what the path carries at present, as far as the window is concerned.
func (c *Controller) carries(now time.Time) float64 {
	if c.queue > queueLossy {
		return c.came.over(brief)
	}
	return max(c.rate, c.came.over(time.Second), ofTrain*c.trains.rate(now, trainSpan))
}

// turn is the shortest time from a departure to its report.
func (c *Controller) turn() time.Duration {
	d, _ := c.turns.value()
	return max(d, 0)
}
