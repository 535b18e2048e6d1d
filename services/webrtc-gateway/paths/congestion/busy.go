package congestion

import (
	"math"
	"time"
)

const (
	busySpan  = 80 * time.Millisecond // of busy time that counts
	busyLeast = 30 * time.Millisecond // from which it means something
	busyAge   = time.Second           // of the receiver's clock, after which it is forgotten
)

// busy measures what the bottleneck passes while it is busy: a packet that waited for longer than since the one before
// it arrived had been there when that left, so all the time between them was used for it. Pauses of the sender so do not
// count, and what others send through the same bottleneck does.
type busy struct {
	bytes float64
	time  float64 // s
	last  time.Duration
	began bool
}

// add takes note of a packet that arrived after waiting for so long.
func (b *busy) add(p Packet, waited time.Duration) {
	gap := p.Arrived - b.last
	switch {
	case b.began && gap < 0:
		return
	case !b.began || gap > busyAge:
		*b = busy{began: true, last: p.Arrived}
		return
	}
	b.last = p.Arrived
	if waited < gap {
		return
	}
	fade := math.Exp(-gap.Seconds() / busySpan.Seconds())
	b.bytes = b.bytes*fade + float64(p.Bytes)
	b.time = b.time*fade + gap.Seconds()
}

// rate returns the bit rate; 0 if it is not known.
func (b *busy) rate() (bps float64) {
	if b.time < busyLeast.Seconds() {
		return 0
	}
	return 8 * b.bytes / b.time
}
