package congestion

import "time"

const lowestParts = 10

// lowest is the least of the durations that were added in the last ten parts of time.
type lowest struct {
	part  time.Duration
	parts [lowestParts]struct {
		value time.Duration
		any   bool
	}
	last int64 // current part, counted from the zero time
}

func (l *lowest) add(d time.Duration, now time.Time) {
	at := max(now.UnixNano()/int64(l.part), l.last)
	for range min(at-l.last, lowestParts) {
		l.last++
		l.parts[l.last%lowestParts].any = false
	}
	l.last = at
	if p := &l.parts[at%lowestParts]; !p.any || d < p.value {
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
