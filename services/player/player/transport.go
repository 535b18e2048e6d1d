package player

import (
	"sync"
	"time"

	"github.com/waldo-robot/waldo/recording/play"
)

// transport is the clock of a player, as people change it.
type transport struct {
	now     func() time.Duration // as package boottime tells it
	changed func(play.Clock)     // called after every change, one at a time, in their order

	mu    sync.Mutex
	clock play.Clock
}

// get returns the clock.
func (t *transport) get() play.Clock {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clock
}

// change has f change the clock at the present time. It begins at the present place.
func (t *transport) change(f func(c *play.Clock)) play.Clock {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	c := t.clock
	c.Offset, c.At = c.Place(now), now
	f(&c)
	t.clock = c
	t.changed(c)
	return c
}

// jump goes to a place within the recording.
func jump(c *play.Clock, to time.Duration) {
	c.Jump++
	c.Offset = min(max(to, 0), c.Duration)
}

// play plays on; after the end, from the beginning.
func (t *transport) play() play.Clock {
	return t.change(func(c *play.Clock) {
		if c.Offset >= c.Duration {
			jump(c, 0)
		}
		c.Playing = true
	})
}

func (t *transport) pause() play.Clock {
	return t.change(func(c *play.Clock) { c.Playing = false })
}

// seek goes to a place, and plays on there if it has played before, also if it has come to the end since.
func (t *transport) seek(to time.Duration) play.Clock {
	return t.change(func(c *play.Clock) { jump(c, to) })
}

func (t *transport) setSpeed(speed float64) play.Clock {
	return t.change(func(c *play.Clock) { c.Speed = speed })
}

func (t *transport) setLoop(loop bool) play.Clock {
	return t.change(func(c *play.Clock) { c.Loop = loop })
}

// end begins again if the recording has come to its end and loops, and has everybody told otherwise. It returns when
// the end comes next, false if it does not.
func (t *transport) end() (left time.Duration, comes bool) {
	c := t.get()
	left = c.When(c.Duration) - t.now()
	switch {
	case !c.Playing:
		return 0, false
	case left > 0:
		return left, true
	case !c.Loop || c.Duration == 0:
		return 0, false
	}
	again := t.change(func(c *play.Clock) {
		if c.Playing && c.Loop && c.Offset >= c.Duration { // unless somebody was faster
			jump(c, 0)
		}
	})
	return again.When(again.Duration) - again.At, again.Playing
}
