package congestion

import (
	"math"
	"time"
)

const (
	growEvery = 200 * time.Millisecond
	calmFirst = time.Second // without a sign of congestion, before the rate grows
	calmShort = 300 * time.Millisecond

	growNormal = 1.04
	growQuick  = 1.12 // while trains arrive at much more
	growSlow   = 1.01 // near a rate that failed
	growLeast  = 15e3 // bit/s at least, so that of several flows the slower ones catch up

	beyond  = 1.5 // times what is received
	ofTrain = 0.8 // of what trains show
)

// grow lets the rate grow.
func (c *Controller) grow(now time.Time) {
	if c.rate == 0 {
		return
	}
	trains := c.trains.lately
	quick := trains > 2*c.rate && !c.bursty(now)
	patience := calmFirst
	if quick {
		patience = calmShort
	}
	if now.Sub(c.calm) < patience || now.Sub(c.grown) < growEvery {
		return
	}
	factor := growNormal
	switch {
	case quick:
		factor = growQuick
	case c.failed(now):
		factor = growSlow
	}
	// Reports may be rarer than steps.
	steps := min(now.Sub(c.grown).Seconds()/growEvery.Seconds(), 3)
	bound := max(beyond*c.came.over(time.Second), min(ofTrain*trains, c.want))
	if c.policed(now) {
		bound = toReceived * c.cut.received
	}
	grown := c.rate * math.Pow(factor, steps)
	if factor == growNormal {
		grown = max(grown, c.rate+growLeast*steps)
	}
	if grown = min(grown, bound, most); grown > c.rate {
		c.rate = grown
	}
	c.grown = now
}
