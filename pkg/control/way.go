package control

import (
	"slices"
	"time"
)

// way is how far the hardware was commanded to move, in seconds at full speed.
type way struct {
	legs []leg // by their beginning
}

// leg is a time of even speed, or of coming to a stop, until the next one begins.
type leg struct {
	from  Clock
	speed float64       // share of full speed
	fade  time.Duration // within which the speed falls to 0, evenly; 0: it does not
	so    float64       // how far it was at the beginning
}

const (
	// wayKept is how long the way is remembered: a picture that is older stops the hardware anyway.
	wayKept = 11 * time.Second
	// legLeast is the time within which legs become one, of the greatest speed: that bounds their number, however many
	// commands come.
	legLeast = 5 * time.Millisecond
)

// faded is how much of the fading is over.
func (l leg) faded(t Clock) float64 { return min(1, float64(t-l.from)/float64(l.fade)) }

// distance is how far the hardware was at some time, not before the leg.
func (l leg) distance(t Clock) float64 {
	if l.fade == 0 {
		return l.so + l.speed*(t-l.from).Seconds()
	}
	x := l.faded(t)
	return l.so + l.speed*l.fade.Seconds()*(x-x*x/2)
}

// leg returns the one that was under way at some time; one of standing still if it is not known.
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

// change changes the speed, which falls to 0 at once if fade is not 0.
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

// forget forgets what nobody asks for any more.
func (w *way) forget(now Clock) {
	old := 0 // legs that had ended by then
	for old+1 < len(w.legs) && w.legs[old+1].from <= now-wayKept {
		old++
	}
	if old > len(w.legs)/2 {
		w.legs = append(w.legs[:0], w.legs[old:]...)
	}
}
