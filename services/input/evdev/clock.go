package evdev

import (
	"time"

	linux "github.com/holoplot/go-evdev"
)

// clock removes from the kernel's timestamps, which are wall clock, the effect of a step of that clock
// between event and reading. An event cannot be later than the moment it is read, nor earlier than the
// last moment at which none was waiting.
type clock struct {
	empty instant
}

// instant is one moment on two clocks.
type instant struct {
	wall      time.Time
	monotonic time.Duration // since some fixed moment
}

// system returns a function that returns the current moment.
func system() func() instant {
	began := time.Now()
	return func() instant {
		t := time.Now()
		return instant{t.Round(0), t.Sub(began)}
	}
}

// time returns when an event that was read at a moment happened.
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
