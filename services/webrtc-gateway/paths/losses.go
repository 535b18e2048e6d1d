package paths

import (
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/recent"
)

// Losses are counted over the last lossParts parts of time.
const (
	lossPart  = time.Second
	lossParts = 5
)

// losses knows the share of packets that were lost lately.
type losses struct {
	parts [lossParts]lossCount
	last  int64 // see [recent.Turn]
	// Of peers that report only shares.
	told   float64
	toldAt time.Time
}

// lossCount counts packets in a part of time.
type lossCount struct{ packets, lost int }

// turn returns the current part.
func (l *losses) turn(now time.Time) *lossCount {
	return recent.Turn(l.parts[:], lossPart, &l.last, now)
}

// count takes note of what became of a packet, and what it was before.
func (l *losses) count(before, became fate, now time.Time) {
	part := l.turn(now)
	if before == pending {
		part.packets++
	}
	switch {
	case became == lost:
		part.lost++
	case before == lost: // it came after all
		part.lost--
	}
}

// share takes note of the share that a receiver report tells, in 256ths.
func (l *losses) share(fraction uint8, now time.Time) {
	s := float64(fraction) / 256
	if now.Sub(l.toldAt) < lossParts*lossPart {
		s = (s + l.told) / 2
	}
	l.told, l.toldAt = s, now
}

// value returns the share lost, 0 to 1.
func (l *losses) value(now time.Time) float64 {
	l.turn(now)
	packets, lost := 0, 0
	for _, p := range l.parts {
		packets, lost = packets+p.packets, lost+p.lost
	}
	switch {
	case packets > 0:
		return float64(max(lost, 0)) / float64(packets)
	case now.Sub(l.toldAt) < lossParts*lossPart:
		return l.told
	}
	return 0
}
