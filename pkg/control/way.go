package control

import (
	"slices"
	"time"
)

// way is how far the hardware was commanded to move, in seconds at full speed.
type way struct {
	legs []leg // by their beginning
}

// leg is a period of constant speed, or of coming to a stop. It lasts until the next leg begins.
type leg struct {
	from  Clock
	speed float64       // share of full speed
	fade  time.Duration // within which the speed falls to 0, linearly; 0: it does not
	so    float64       // distance at the beginning
}

const (
	// wayKept is how long the way is remembered: a picture that is older stops the hardware anyway.
	wayKept = 11 * time.Second
	// legLeast is the least length of a leg. Shorter ones are merged, with the greatest of their speeds: that bounds
	// their number, however many commands come.
	legLeast = 5 * time.Millisecond
)

// faded is how much of the fading is over.
func (l leg) faded(t Clock) float64 { return min(1, float64(t-l.from)/float64(l.fade)) }

// distance is how far the hardware has come at a time that is not before the leg.
func (l leg) distance(t Clock) float64 {
	if l.fade == 0 {
		return l.so + l.speed*(t-l.from).Seconds()
	}
	x := l.faded(t)
	return l.so + l.speed*l.fade.Seconds()*(x-x*x/2)
}

// leg returns the leg of a time; one of standing still if that is not known.
func (w *way) leg(t Clock) leg {
	for _, l := range slices.Backward(w.legs) {
		if l.from <= t {
			return l
		}
	}
	return leg{}
}

// between returns how far it has come from one time to another.
func (w *way) between(from, to Clock) float64 {
	return w.leg(to).distance(to) - w.leg(from).distance(from)
}

// change begins a leg. If fade is not 0, its speed falls to 0 within that time.
func (w *way) change(now Clock, speed float64, fade time.Duration) {
	for n := len(w.legs); n > 0 && w.legs[n-1].from > now; n = len(w.legs) {
		w.legs = w.legs[:n-1] // what was to come does not
	}
	if n := len(w.legs); n > 0 && now-w.legs[n-1].from < legLeast {
		last := &w.legs[n-1]
		last.speed, last.fade = max(last.speed, speed), 0 // as if it had been so fast all the time …
		now = last.from + legLeast                        // … and a little longer
	}
	w.legs = append(w.legs, leg{from: now, speed: speed, fade: fade, so: w.leg(now).distance(now)})
	w.forget(now)
}

// stop has it come to a stop from the speed that it has.
func (w *way) stop(now Clock, fade time.Duration) {
	l := w.leg(now)
	if l.fade > 0 {
		return
	}
	if fade == 0 {
		l.speed = 0
	}
	w.change(now, l.speed, fade)
}

// forget removes what is older than any picture that counts.
func (w *way) forget(now Clock) {
	old := 0 // legs that had ended by then
	for old+1 < len(w.legs) && w.legs[old+1].from <= now-wayKept {
		old++
	}
	if old > len(w.legs)/2 {
		w.legs = append(w.legs[:0], w.legs[old:]...)
	}
}
