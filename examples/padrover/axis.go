package main

import (
	"math"
	"time"
)

const (
	// deadZone is how far an axis may be off its rest and still count as at rest.
	deadZone = 0.12
	// An axis that moved by at most stillRange for stillTime, at most mostRest off the center, is in nobody's hand: a
	// worn stick rests there.
	stillRange = 0.05
	stillTime  = time.Second
	mostRest   = 0.25
)

// axis is one axis of a stick. It counts only after it was seen at rest, so a stick that is held when the program
// starts, or when the pad comes back, moves nothing until it is released.
type axis struct {
	at        float64
	live      bool
	low, high float64 // the range of rest, beyond the dead zone around 0
	still     struct {
		since     time.Time
		low, high float64
	}
}

// move takes the axis's position, -1 to 1.
func (a *axis) move(at float64, now time.Time) {
	if math.IsNaN(at) {
		a.release()
		return
	}
	a.at = max(-1, min(at, 1))
	a.look(now)
}

// release makes the axis count as at rest until it is.
func (a *axis) release() { a.live, a.at = false, math.NaN() }

// look judges the axis now: time alone can show that it is at rest.
func (a *axis) look(now time.Time) {
	if math.IsNaN(a.at) {
		return
	}
	s := &a.still
	if low, high := min(a.at, s.low), max(a.at, s.high); s.since.IsZero() || high-low > stillRange {
		s.since, s.low, s.high = now, a.at, a.at
	} else {
		s.low, s.high = low, high
	}
	if now.Sub(s.since) >= stillTime && s.low >= -mostRest && s.high <= mostRest {
		a.low, a.high = min(a.low, s.low), max(a.high, s.high)
	}
	a.live = a.live || a.atRest()
}

func (a *axis) atRest() bool { return a.at >= a.low-deadZone && a.at <= a.high+deadZone }

// value is how far the axis is moved, -1 to 1: the way from the edge of the rest to the end is scaled to 0 to 1.
func (a *axis) value(now time.Time) float64 {
	a.look(now)
	switch low, high := a.low-deadZone, a.high+deadZone; {
	case !a.live || a.atRest():
		return 0
	case a.at > 0:
		return (a.at - high) / (1 - high)
	default:
		return (a.at - low) / (1 + low)
	}
}
