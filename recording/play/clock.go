package play

import (
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
)

// Speeds that a player can have.
const (
	Slowest = 0.1
	Fastest = 10
)

// Clock is where a player is, and how it goes on from there.
type Clock struct {
	Jump     int64 // counted up by every jump
	Playing  bool
	Offset   time.Duration // the place at the time At, after the beginning of the recording
	At       time.Duration // as package boottime tells it
	Speed    float64       // between Slowest and Fastest
	Loop     bool
	Duration time.Duration // of the recording
}

// ClockOf returns the clock that a state of a player describes; false for one that makes no sense.
func ClockOf(s *playerv1.PlayerState) (Clock, bool) {
	c := Clock{
		Jump: s.GetJump(), Playing: s.GetPlaying(), Offset: s.GetOffset().AsDuration(), At: s.GetClock().AsDuration(),
		Speed: s.GetSpeed(), Loop: s.GetLoop(), Duration: s.GetDuration().AsDuration(),
	}
	return c, CheckSpeed(c.Speed) && c.Duration >= 0 && c.Offset >= 0 && c.Offset <= c.Duration && c.At >= 0
}

// CheckSpeed reports whether a player can go so fast.
func CheckSpeed(speed float64) bool { return speed >= Slowest && speed <= Fastest } // false for NaN

// State is the clock as a player says it, at a time.
func (c Clock) State(now time.Duration) *playerv1.PlayerState {
	place := c.Place(now)
	return &playerv1.PlayerState{
		Jump: c.Jump, Playing: c.Playing && !c.Ended(now), Offset: durationpb.New(place), Clock: durationpb.New(now),
		Speed: c.Speed, Loop: c.Loop, Ended: c.Ended(now), Duration: durationpb.New(c.Duration),
	}
}

// Place is where the player is at a time: within the recording.
func (c Clock) Place(now time.Duration) time.Duration {
	if !c.Playing {
		return min(max(c.Offset, 0), c.Duration)
	}
	gone := float64(now-c.At) * c.Speed
	if gone >= float64(c.Duration-c.Offset) {
		return c.Duration
	}
	return max(c.Offset+time.Duration(math.Round(gone)), 0)
}

// Ended reports whether the player has come to the end by a time.
func (c Clock) Ended(now time.Duration) bool { return c.Place(now) >= c.Duration && !c.Loop }

// When is the time at which the player comes to a place, or came to it; only while it plays. It is the last one there
// is if the place is further away: files may span decades, as a clock is set between their messages.
func (c Clock) When(place time.Duration) time.Duration {
	left := math.Round(float64(place-c.Offset) / c.Speed)
	if left >= float64(math.MaxInt64-c.At) {
		return math.MaxInt64
	}
	return c.At + time.Duration(left)
}
