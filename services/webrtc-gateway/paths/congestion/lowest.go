package congestion

import (
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/recent"
)

const lowestParts = 10

// lowest is the least of the durations that were added in the last ten parts of time.
type lowest struct {
	part  time.Duration
	parts [lowestParts]lowestPart
	last  int64 // see [recent.Turn]
}

// lowestPart is the least duration of a part of time, if there is any.
type lowestPart struct {
	value time.Duration
	any   bool
}

func (l *lowest) add(d time.Duration, now time.Time) {
	if p := recent.Turn(l.parts[:], l.part, &l.last, now); !p.any || d < p.value {
		p.value, p.any = d, true
	}
}

// forget forgets what was added.
func (l *lowest) forget() { *l = lowest{part: l.part, last: l.last} }

// value returns the least one; false if there is none.
func (l *lowest) value() (least time.Duration, ok bool) {
	for _, p := range l.parts {
		if p.any && (!ok || p.value < least) {
			least, ok = p.value, true
		}
	}
	return least, ok
}
