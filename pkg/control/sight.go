package control

import (
	"slices"
	"time"
)

// Sight says how fast the hardware may move, by what its driver sees. The zero value sets no limit.
type Sight struct {
	// Slow and Stop are ages of the picture that the driver of a command had seen. From Slow on the speed is reduced in
	// proportion, down to 0 at Stop, which is greater.
	Slow, Stop time.Duration
	// Reaction is how far the hardware may move, in m, between the capture of that picture and the end of the command; 0
	// sets no limit. Full is how fast it moves at full speed, in m/s, and is required then.
	Reaction, Full float64
	// Coast is how long the hardware takes to come to a stop, slowing down evenly. It counts for Reaction.
	Coast time.Duration
}

// watched reports whether commands are judged by what their driver sees.
func (s Sight) watched() bool { return s.Stop > 0 }

// Seen is what the driver of a command had seen. The zero value is nothing.
type Seen struct {
	// At is when the newest picture was captured that the driver had seen, if that is Known.
	At    Clock
	Known bool
}

// age is how old the picture is. One that is to come is a lie, and as good as none.
func (s Seen) age(now Clock) (time.Duration, bool) { return now - s.At, s.Known && s.At <= now }

// Age is how old the picture is that the sender of the last command had seen; false if that is not known.
func (a *Arbiter) Age(now Clock) (time.Duration, bool) {
	if a.lease == nil {
		return 0, false
	}
	return a.lease.seen.age(now)
}

// Allowed is the greatest speed that a command may have whose sender saw what the sender of the last one had seen, as
// a share of full speed. It is 1 if nothing is watched.
func (a *Arbiter) Allowed(now Clock) float64 {
	switch {
	case !a.config.Sight.watched():
		return 1
	case a.lease == nil:
		return 0
	}
	return a.allowed(now, a.lease.seen)
}

// allowed is the greatest speed of a command that is accepted now, 0 to 1.
func (a *Arbiter) allowed(now Clock, seen Seen) float64 {
	s := a.config.Sight
	age, known := seen.age(now)
	if !known || age >= s.Stop {
		return 0
	}
	speed := 1.0
	if age > s.Slow {
		speed = float64(s.Stop-age) / float64(s.Stop-s.Slow)
	}
	if s.Reaction > 0 {
		end := min(now+a.config.Deadman, seen.At+s.Stop)
		left := s.Reaction - s.Full*a.way.since(now, seen.At)
		speed = min(speed, left/(s.Full*(end-now+s.Coast/2).Seconds()))
	}
	return max(speed, 0)
}

// slow returns the factor by which a command has to be slowed; false if that does not help.
func (a *Arbiter) slow(now Clock, c Command) (factor float64, ok bool) {
	if !a.config.Sight.watched() || c.Neutral {
		return 1, true
	}
	if age, known := c.Seen.age(now); !known || age >= a.config.Sight.Stop {
		return 0, false
	}
	speed, allowed := c.share(), a.allowed(now, c.Seen)
	switch {
	case speed <= allowed:
		return 1, true
	case c.Rigid:
		return 0, false
	}
	return allowed / speed, true
}

// share is how fast the command moves, as a share of full speed.
func (c Command) share() float64 {
	switch {
	case c.Neutral:
		return 0
	case c.Rigid || !(c.Speed >= 0):
		return 1
	}
	return c.Speed
}

// way is how far the hardware was commanded to move, in seconds at full speed.
type way struct {
	legs []leg // by their beginning
}

// leg is a time of even speed, until the next one begins.
type leg struct {
	from  Clock
	speed float64 // share of full speed
	so    float64 // how far it was at the beginning
}

const (
	// wayKept is how long the way is remembered: no picture older than that is ever of use.
	wayKept = 10*time.Second + time.Second
	// legLeast is the time within which legs become one, of the greatest speed: that bounds their number, however many
	// commands come.
	legLeast = 5 * time.Millisecond
)

// at returns how far the hardware was at some time.
func (w *way) at(t Clock) float64 {
	for _, l := range slices.Backward(w.legs) {
		if l.from <= t {
			return l.so + l.speed*(t-l.from).Seconds()
		}
	}
	return 0
}

// since returns how far it has come since another time.
func (w *way) since(now, t Clock) float64 { return w.at(now) - w.at(t) }

// speed is how fast it is at some time.
func (w *way) speed(t Clock) float64 {
	for _, l := range slices.Backward(w.legs) {
		if l.from <= t {
			return l.speed
		}
	}
	return 0
}

// change changes the speed.
func (w *way) change(now Clock, speed float64) {
	for n := len(w.legs); n > 0 && w.legs[n-1].from > now; n = len(w.legs) {
		w.legs = w.legs[:n-1] // what was to come does not
	}
	if n := len(w.legs); n > 0 {
		switch last := &w.legs[n-1]; {
		case last.speed == speed:
			return
		case now-last.from >= legLeast:
		case speed > last.speed:
			last.speed = speed // as if it had been so fast all the time
			return
		default:
			now = last.from + legLeast // it keeps its speed a little longer
		}
	}
	w.legs = append(w.legs, leg{from: now, speed: speed, so: w.at(now)})
	w.forget(now)
}

// stop has it come to a stop, slowing down evenly: never farther than at half the speed.
func (w *way) stop(now Clock, coast time.Duration) {
	speed := w.speed(now)
	if coast > legLeast && speed > 0 {
		w.change(now, speed/2)
		now += coast
		w.legs = append(w.legs, leg{from: now, speed: 0, so: w.at(now)})
		return
	}
	w.change(now, 0)
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
