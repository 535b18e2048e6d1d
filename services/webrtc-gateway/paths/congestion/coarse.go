package congestion

import "time"

// Coarse says how fast packets may be sent over a path of which only receiver reports are known: once in a second or
// more, the share of losses and the round trip. The reports of a second are one round.
//
// A report says little. A round trip also contains how long a busy receiver takes to answer, and some paths lose
// packets at any rate. So only what lasts for several rounds leads to a cut, and a cut is a trial: what it answered
// must become less while less is sent. If it does not, the path is like that. Then it counts as normal from now on, and
// the rate before is restored. Nothing else is concluded until a trial is over.
type Coarse struct {
	rate     float64 // bit/s; 0: no limit is known
	failed   float64 // the rate that was last cut
	used     float64 // bit/s, the most that was sent; fades slowly
	sent     float64 // bit/s, on the average of the last rounds
	inherent float64 // share of losses at any rate
	trips    lowest
	noise    time.Duration // mean change of the round trip from one round to the next
	round    round         // that has not ended
	last     round         // that has ended
	older    round         // the one before that
	lossy    int           // rounds in a row that lost too much
	queued   int           // rounds in a row that took too long
	trial    trial
}

// round is what the reports of a second say.
type round struct {
	at      time.Time // of its last report
	reports int
	lost    float64       // share, the mean of its reports
	trip    time.Duration // the least of its reports; 0: unknown
}

// trial is a cut whose effect is waited for.
type trial struct {
	until time.Time // zero: there is none
	lossy bool      // it answers losses; otherwise a queue
	rate  float64   // before it, and so the others
	sent  float64
	lost  float64
	queue time.Duration
}

const (
	coarseEvery = 900 * time.Millisecond
	coarseLasts = 3                      // rounds that a queue must last
	coarseLoses = 2                      // rounds that losses must last
	coarseQueue = 150 * time.Millisecond // that is long
	coarseNoise = 4                      // times the noise, by which it must be longer
	coarseGrows = 0.1                    // seconds in a second by which a queue grows that must be ours
	coarseLess  = 0.8                    // of what a cut answered must be left for it to be right
	coarseMore  = 2                      // times the queue before a cut that must be ours
	// of what was sent before a cut must be sent to tell that it was in vain, or less
	coarseSent   = 0.93
	coarseTrial  = 2 * time.Second
	coarseFew    = 0.02 // share of losses up to which the rate grows
	coarseGrow   = 1.08 // in a round
	coarseNear   = 1.04 // near a rate that failed
	coarseFade   = 0.99 // in a round
	coarseUnused = 2    // times what is used, from which a rate limits nobody
	coarseLeast  = 0.4  // to which a cut may go at once
	coarseMost   = 0.8  // to which a cut goes at least
)

// NewCoarse returns one that knows nothing.
func NewCoarse() *Coarse { return &Coarse{trips: lowest{part: 6 * time.Second}} }

// Rate returns the bit rate that the path is estimated to carry, in bit/s; 0 if nothing limits it as far as is known.
func (c *Coarse) Rate() int64 { return int64(c.rate) }

// Report takes note of the share of losses since the report before, 0 to 1, the round trip, 0 if unknown, and the bit
// rate that is sent.
func (c *Coarse) Report(lost float64, trip time.Duration, sent float64, now time.Time) {
	r := &c.round
	r.reports++
	r.lost += (lost - r.lost) / float64(r.reports)
	if trip > 0 && (r.trip == 0 || trip < r.trip) {
		r.trip = trip
	}
	if now.Sub(c.last.at) < coarseEvery {
		return
	}
	ended := *r
	ended.at, c.round = now, round{}
	if c.sent == 0 {
		c.sent = sent
	}
	c.sent += (sent - c.sent) / 2
	c.used = max(sent, coarseFade*c.used)
	c.decide(ended)
	c.older, c.last = c.last, ended
}

// decide draws conclusions from a round.
func (c *Coarse) decide(r round) {
	queue, slope := c.wait(r)
	tooLong := coarseQueue + coarseNoise*c.noise
	tooMany := max(excessive, c.inherent+margin)
	c.inherent = min(c.inherent, r.lost)
	if r.at.Before(c.trial.until) {
		return
	}
	c.lossy, c.queued = inRow(c.lossy, r.lost > tooMany), inRow(c.queued, queue > tooLong)
	if !c.trial.until.IsZero() && c.judge(r, queue, slope) {
		return
	}
	switch {
	case c.lossy >= coarseLoses:
		c.cut(1-r.lost, true, queue, r)
	case c.queued >= coarseLasts:
		c.cut(coarseMost/(1+slope), false, queue, r)
	case c.rate > 0 && r.lost < coarseFew+c.inherent && queue < tooLong/2:
		c.grow()
	}
}

// inRow counts how often in a row something holds.
func inRow(times int, holds bool) int {
	if holds {
		return times + 1
	}
	return 0
}

// wait takes note of a round trip. It returns how long packets waited, and by how many seconds in a second that grew.
func (c *Coarse) wait(r round) (queue time.Duration, slope float64) {
	if r.trip == 0 {
		return 0, 0
	}
	c.trips.add(r.trip, r.at)
	if c.last.trip > 0 {
		c.noise += ((r.trip - c.last.trip).Abs() - c.noise) / 4
	}
	if c.older.trip > 0 {
		slope = max(0, (r.trip-c.older.trip).Seconds()/r.at.Sub(c.older.at).Seconds())
	}
	least, _ := c.trips.value()
	return r.trip - least, slope
}

// cut begins a trial with a part of the rate in force.
func (c *Coarse) cut(part float64, lossy bool, queue time.Duration, r round) {
	inForce := c.used
	if c.rate > 0 {
		inForce = min(c.rate, c.used)
	}
	c.trial = trial{
		until: r.at.Add(coarseTrial + r.trip), // reports are about what was sent a round trip ago
		lossy: lossy, rate: c.rate, sent: c.sent, lost: r.lost, queue: queue,
	}
	c.failed, c.lossy, c.queued = inForce, 0, 0
	c.rate = max(inForce*min(max(part, coarseLeast), coarseMost), floor)
}

// judge ends a trial. It reports whether that has changed the rate.
func (c *Coarse) judge(r round, queue time.Duration, slope float64) bool {
	t := c.trial
	c.trial = trial{}
	switch {
	case t.lossy && c.lossy > 0 && (r.lost < coarseLess*t.lost || r.lost > inherentMost):
		c.cut(1-r.lost, true, queue, r) // it was right, and not enough
	case t.lossy && c.lossy > 0 && c.sent < coarseSent*t.sent:
		c.inherent, c.rate = r.lost, t.rate
	case !t.lossy && c.queued > 0 && (slope > coarseGrows || queue > coarseMore*t.queue):
		c.cut(coarseMost/(1+slope), false, queue, r)
	case !t.lossy && c.queued > 0 && queue > time.Duration(coarseLess*float64(t.queue)):
		c.trips.forget()
		c.trips.add(r.trip, r.at)
		c.rate = t.rate
	default:
		return false
	}
	c.lossy, c.queued = 0, 0
	return true
}

// grow lets the rate grow, more slowly near one that failed.
func (c *Coarse) grow() {
	if near := c.rate / c.failed; near > 0.75 && near < 1.1 {
		c.rate *= coarseNear
	} else {
		c.rate *= coarseGrow
	}
	if c.rate > coarseUnused*c.used {
		c.rate = 0
	}
}
