package control

import (
	"math"
	"time"
)

// Sight says how fast the hardware may move, by what its driver sees. The zero value sets no limit.
type Sight struct {
	// Slow and Stop are ages of the picture that the driver of a command had seen. From Slow on the speed is reduced in
	// proportion, down to 0 at Stop, which is greater.
	Slow, Stop time.Duration
	// Reaction is how far the hardware may move, in m, from the capture of that picture until it stands still; 0 sets no
	// limit. Full is how fast it moves at full speed, in m/s; Reaction requires it.
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

// age is how old the picture is. One that is yet to be captured is a lie, and counts as none.
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
		left := s.Reaction - s.Full*a.way.between(seen.At, now)
		speed = min(speed, left/(s.Full*(end-now+s.Coast/2).Seconds()))
	}
	return max(speed, 0)
}

// slow returns the factor by which a command has to be slowed, and its speed then; false if it has to be refused.
func (a *Arbiter) slow(now Clock, c Command) (factor, speed float64, ok bool) {
	speed = c.share()
	if !a.config.Sight.watched() || c.Neutral {
		return 1, speed, true
	}
	if age, known := c.Seen.age(now); !known || age >= a.config.Sight.Stop {
		return 0, 0, false
	}
	allowed := a.allowed(now, c.Seen)
	switch {
	case speed <= allowed:
		return 1, speed, true
	case c.Rigid:
		return 0, 0, false
	case math.IsInf(speed, 1):
		return 0, 0, true
	}
	return allowed / speed, allowed, true
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
