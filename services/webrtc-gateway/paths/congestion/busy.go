package congestion

import (
	"math"
	"time"
)

const (
	busyBytes = 12e3        // over which the rate is a mean
	busyLeast = 4e3         // bytes from which it means something
	busyAge   = time.Second // of the receiver's clock, after which a new mean begins
)

// busy measures what the bottleneck passes while it is busy: a packet that waited for longer than since the one before
// it arrived had been there when that left, so all the time between them was used for it. So the sender's pauses do not
// count, and what others send through the same bottleneck does.
type busy struct {
	bytes, time float64 // s; both fade
	last        time.Duration
	began       bool
	known       float64 // the rate when it was known last; 0: never
}

// add takes note of a packet that arrived after waiting for so long.
func (b *busy) add(p Packet, waited time.Duration) {
	gap := p.Arrived - b.last
	switch {
	case b.began && gap < 0:
		return
	case !b.began || gap > busyAge:
		b.bytes, b.time, b.began, b.last = 0, 0, true, p.Arrived
		return
	}
	b.last = p.Arrived
	if waited < gap {
		return
	}
	fade := math.Exp(-float64(p.Bytes) / busyBytes)
	b.bytes = b.bytes*fade + float64(p.Bytes)
	b.time = b.time*fade + gap.Seconds()
	if b.bytes > busyLeast {
		b.known = b.rate()
	}
}

// rate returns the bit rate; 0 if it is not known.
func (b *busy) rate() (bps float64) {
	if b.bytes < busyLeast {
		return 0
	}
	return 8 * b.bytes / max(b.time, trainLeast.Seconds())
}
