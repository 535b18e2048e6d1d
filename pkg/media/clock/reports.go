package clock

import (
	"time"
)

const (
	agreement = 20 * time.Millisecond // reports that differ by no more say the same
	maxStale  = 2 * time.Second       // a report is sent, and arrives, within this
)

// report is what a sender report says in terms of this package.
type report struct {
	zero   time.Time     // the camera's wall clock when its stamp was 0
	offset time.Duration // the same on this machine's clock, if the camera's wall clock is right
	stale  time.Duration // how long before its arrival it was written, if the camera's wall clock is right
}

// reports are the last three sender reports of a track, oldest first.
type reports struct{ kept []report }

func (r *reports) add(from Report, arrival time.Duration) {
	if from.Time > maxStamp || from.Time < -maxStamp {
		return
	}
	stale := from.Arrival.Round(0).Sub(from.NTP) // by the wall clocks
	if len(r.kept) == 3 {
		r.kept = r.kept[:copy(r.kept, r.kept[1:])]
	}
	r.kept = append(r.kept, report{from.NTP.Add(-from.Time), arrival - stale - from.Time, stale})
}

func (r *reports) forget() { r.kept = r.kept[:0] }

// last returns the newest report. There must be one.
func (r *reports) last() report { return r.kept[len(r.kept)-1] }

// agree says whether there are n reports, and the last n agree with each other.
func (r *reports) agree(n int) bool {
	if len(r.kept) < n {
		return false
	}
	for _, one := range r.kept[len(r.kept)-n:] {
		if abs(one.zero.Sub(r.last().zero)) > agreement {
			return false
		}
	}
	return true
}

// wall returns the offset from stamps to this machine's clock, if the reports prove that the camera's wall clock is
// right.
func (r *reports) wall() (time.Duration, bool) {
	if !r.agree(3) {
		return 0, false
	}
	a, b, c := r.kept[0], r.kept[1], r.kept[2]
	for _, one := range r.kept {
		if one.stale < 0 || one.stale > maxStale || abs(one.offset-c.offset) > agreement {
			return 0, false
		}
	}
	return max(min(a.offset, b.offset), min(max(a.offset, b.offset), c.offset)), true // the median
}
