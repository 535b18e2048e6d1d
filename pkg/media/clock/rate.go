package clock

import "time"

const (
	tolerance  = 0.02             // stamps run at 0.98 to 1.02 of the true rate, or they are wrong
	evident    = 0.1              // a rate that is wrong by so much …
	glance     = 4 * time.Second  // … shows after this time
	judgement  = 10 * time.Second // others after this
	probation  = 30               // seconds for which a rate must be right to be relied on again
	maxPoints  = 12
	steadiness = 0.25 // a wrong rate is steady: the slopes of two halves differ by at most this part
)

// rate compares how fast stamps run with how fast they arrive. It judges by the earliest arrival of each second.
type rate struct {
	points []point // the earliest of each second, oldest first; the last one is not complete
	wrong  bool    // the stamps are not to be used
	proven bool    // they were right on this timeline: later growth is a delay
	right  int     // seconds for which a wrong rate has been right
}

func (r *rate) forget() { *r = rate{points: r.points[:0]} }

// prove takes note that something else has shown the stamps to be right.
func (r *rate) prove() { r.proven = r.proven || !r.wrong }

// add takes note of an offset, and says whether a rate that was wrong can be relied on again.
func (r *rate) add(a, offset time.Duration) bool {
	if n := len(r.points); n > 0 && a-r.points[n-1].a < time.Second {
		r.points[n-1].offset = min(r.points[n-1].offset, offset)
		return false
	}
	again := r.judge()
	if len(r.points) == maxPoints {
		r.points = r.points[:copy(r.points, r.points[1:])]
	}
	r.points = append(r.points, point{a, offset})
	return again
}

// judge decides at the end of a second.
func (r *rate) judge() (again bool) {
	if r.wrong {
		return r.judgeWrong()
	}
	if r.proven {
		return false
	}
	if early, late, ok := r.slopes(judgement); ok {
		r.proven = abs64(early) <= tolerance && abs64(late) <= tolerance
		r.wrong = steady(early, late, tolerance)
	} else if early, late, ok := r.slopes(glance); ok {
		r.wrong = steady(early, late, evident)
	}
	return false
}

func (r *rate) judgeWrong() bool {
	early, late, ok := r.slopes(judgement)
	if !ok || abs64(early) > tolerance || abs64(late) > tolerance {
		r.right = 0
		return false
	}
	if r.right++; r.right < probation-int(judgement/time.Second) {
		return false
	}
	r.wrong, r.proven, r.right = false, true, 0
	return true
}

// steady says whether two slopes are beyond limit, to the same side, and about the same.
func steady(early, late, limit float64) bool {
	if early < 0 {
		early, late = -early, -late
	}
	return min(early, late) > limit && abs64(early-late) <= steadiness*max(early, late)
}

// slopes returns by how much the offsets grow per time in each half of the last span.
func (r *rate) slopes(span time.Duration) (early, late float64, ok bool) {
	n := len(r.points)
	if n < 3 {
		return 0, 0, false
	}
	last, first := r.points[n-1], n-1
	for first > 0 && last.a-r.points[first].a < span {
		first--
	}
	if last.a-r.points[first].a < span {
		return 0, 0, false
	}
	middle := first + 1
	for middle < n-2 && r.points[middle].a-r.points[first].a < span/2 {
		middle++
	}
	return slope(r.points[first], r.points[middle]), slope(r.points[middle], last), true
}

func slope(from, to point) float64 { return float64(to.offset-from.offset) / float64(to.a-from.a) }

// value returns the rate of the last seconds, 1 if it is not known yet.
func (r *rate) value() float64 {
	n := len(r.points) - 1 // the last one is not complete
	if n < 2 || r.points[n-1].a-r.points[0].a < glance {
		return 1
	}
	return 1 - slope(r.points[0], r.points[n-1])
}

func abs64(f float64) float64 { return max(f, -f) }

// drift learns how fast an offset moves while nothing is delayed, so that it can go on in the same way while
// something is.
type drift struct {
	perTime float64
	known   bool
	running bool
	a, est  time.Duration
}

// learn takes note of an estimate made without delay.
func (d *drift) learn(a, est time.Duration) {
	if !d.running {
		d.running, d.a, d.est = true, a, est
		return
	}
	if a-d.a < learning {
		return
	}
	measured := slope(point{d.a, d.est}, point{a, est})
	measured = min(max(measured, -1.0/maxDrift), 1.0/maxDrift)
	if d.known {
		measured = d.perTime + (measured-d.perTime)/4
	}
	d.perTime, d.known, d.a, d.est = measured, true, a, est
}

// pause says that the estimates are not made without delay for now.
func (d *drift) pause() { d.running = false }

// expect returns by how much an estimate moves in a time.
func (d *drift) expect(passed time.Duration) time.Duration {
	return time.Duration(d.perTime * float64(passed))
}
