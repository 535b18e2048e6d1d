package evdev

import (
	"time"

	linux "github.com/holoplot/go-evdev"
)

// clock takes out of the kernel's stamps, which are wall clock, what a step of that clock between event and reading does to
// them. It knows that an event cannot be younger than the moment it is read, nor older than the last moment at which none waited.
type clock struct {
	empty instant
}

// instant is one moment by two clocks.
type instant struct {
	wall      time.Time
	monotonic time.Duration // since some fixed moment
}

// system returns a function that tells the present moment.
func system() func() instant {
	began := time.Now()
	return func() instant {
		t := time.Now()
		return instant{t.Round(0), t.Sub(began)}
	}
}

// time is when an event happened that was read at a moment.
func (c *clock) time(e linux.InputEvent, read instant) time.Time {
	seconds, nanoseconds := e.Time.Unix()
	if seconds < 0 {
		seconds += 1 << 32 // 32-bit kernels count without a sign
	}
	stamp := time.Unix(seconds, nanoseconds)
	waited := read.monotonic - c.empty.monotonic
	if age := read.wall.Sub(stamp); age < 0 || age > waited {
		stamp = stamp.Add(read.wall.Sub(c.empty.wall) - waited) // by how much the clock was set
	}
	if stamp.After(read.wall) {
		return read.wall
	}
	return stamp
}
