package congestion

import "time"

// Coarse says how fast packets may be sent over a path of which only receiver reports are known: once in a second or
// more, the share of losses and the round trip. It is slow, and sees a queue only once that is long.
type Coarse struct {
	rate  float64 // bit/s; 0: no limit is known
	trips lowest
	at    time.Time // of the last change
}

const (
	coarseEvery = 900 * time.Millisecond
	coarseQueue = 150 * time.Millisecond // beyond the least round trip of a minute
	coarseCalm  = 50 * time.Millisecond
	coarseGrow  = 1.08 // in a report
	coarseCut   = 0.8
	coarseFew   = 0.02 // share of losses up to which the rate grows
)

// NewCoarse returns one that knows nothing.
func NewCoarse() *Coarse { return &Coarse{trips: lowest{part: 6 * time.Second}} }

// Rate returns the bit rate that the path is estimated to carry, in bit/s; 0 if nothing limits it as far as is known.
func (c *Coarse) Rate() int64 { return int64(c.rate) }

// Report takes note of the share of losses, 0 to 1, the round trip, 0 if unknown, and the bit rate that is sent.
func (c *Coarse) Report(lost float64, trip time.Duration, sent float64, now time.Time) {
	if trip > 0 {
		c.trips.add(trip, now)
	}
	if now.Sub(c.at) < coarseEvery {
		return
	}
	c.at = now
	least, _ := c.trips.value()
	queue := trip - least
	switch {
	case queue > coarseQueue:
		c.cut(coarseCut * sent)
	case lost > excessive:
		c.cut((1 - lost/2) * sent)
	case lost < coarseFew && queue < coarseCalm && c.rate > 0:
		c.rate *= coarseGrow
		if c.rate > 2*beyond*sent { // whatever stands there has long been nobody's limit
			c.rate = 0
		}
	}
}

func (c *Coarse) cut(to float64) {
	if c.rate == 0 || to < c.rate {
		c.rate = max(to, floor)
	}
}
