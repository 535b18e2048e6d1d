package board

import (
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/services/serial/codec"
)

const (
	// A stop is sent more than once: a line may lose a message, and nobody would know.
	stopTimes = 3
	stopEvery = 50 * time.Millisecond
	// rampStep is the time between two messages of a ramp.
	rampStep = 20 * time.Millisecond
)

// commands is the only path to an actuator's board.
type commands struct {
	writer  codec.Writer
	safe    []byte
	ramp    time.Duration
	metrics *metrics
	wake    chan struct{} // holds a token when there is something to write

	mu      sync.Mutex
	pending []byte    // the newest command that is not written yet; nil for none
	expiry  time.Time // of pending
	stops   int       // how many times the stop is still to be sent
	next    time.Time // when it is due next
	last    []byte    // the payload written last
	falling bool      // a ramp is running
	from    []byte    // where it began …
	begun   time.Time // … and when
}

func newCommands(w codec.Writer, safe []byte, ramp time.Duration, m *metrics) *commands {
	return &commands{writer: w, safe: safe, ramp: ramp, metrics: m, wake: make(chan struct{}, 1)}
}

// Command has a payload written, unless another replaces it first, a stop comes, or it cannot be written
// before it expires. It does not wait.
func (b *Board) Command(payload []byte, expiry time.Time) {
	c := b.commands
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending != nil {
		c.metrics.dropped.WithLabelValues("superseded").Inc()
	}
	c.pending, c.expiry = payload, expiry
	c.stops, c.falling = 0, false
	signal(c.wake)
}

// Safe stops the board. It implements actuator.Hardware.
func (b *Board) Safe(why control.Cause) {
	c := b.commands
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending != nil {
		c.pending = nil
		c.metrics.dropped.WithLabelValues("stopped").Inc()
	}
	stopping := c.stops > 0
	c.stops, c.next = stopTimes, time.Now()
	switch {
	case c.ramp <= 0, why == control.CauseEStop, why == control.CauseAway, c.last == nil:
		c.falling = false
	case stopping && !c.falling: // an e-stop that is not written yet gets no ramp because the lease ends as well
	case !c.falling:
		c.falling, c.from, c.begun = true, c.last, time.Now()
	}
	signal(c.wake)
}

// run writes commands and stops until finish is closed, and finally any pending stop.
func (c *commands) run(l *line, finish <-chan struct{}) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-finish:
			return c.finish(l)
		case <-c.wake:
		case <-timer.C:
		}
		for payload := c.take(); payload != nil; payload = c.take() {
			if err := l.send(payload); err != nil {
				return err
			}
		}
		timer.Reset(c.pause())
	}
}

// finish sends the pending stop, without a ramp: there is no time left for one.
func (c *commands) finish(l *line) error {
	c.mu.Lock()
	wanted := c.stops > 0
	c.falling, c.stops, c.last = false, 0, nil
	c.mu.Unlock()
	if !wanted {
		return nil
	}
	return l.send(c.safe)
}

// take returns the payload to write now; nil for nothing.
func (c *commands) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	payload := c.choose(now)
	if payload != nil {
		c.last = payload
	}
	return payload
}

// choose requires mu.
func (c *commands) choose(now time.Time) []byte {
	if payload := c.pending; payload != nil {
		c.pending = nil
		if now.After(c.expiry) {
			c.metrics.dropped.WithLabelValues("late").Inc()
			return nil
		}
		return payload
	}
	if c.stops == 0 || now.Before(c.next) {
		return nil
	}
	// A step has the value of its end, since it stays until the next one: the board is never faster than an even ramp,
	// by which the actuator computes how far it moves.
	if share := float64(now.Add(rampStep).Sub(c.begun)) / float64(max(c.ramp, 1)); c.falling && share < 1 {
		c.next = now.Add(rampStep)
		return c.writer.Blend(c.from, c.safe, share)
	}
	c.falling = false
	c.stops--
	c.next = now.Add(stopEvery)
	return c.safe
}

// pause is the time until something has to be written.
func (c *commands) pause() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stops == 0 {
		return time.Hour // wake fires earlier
	}
	return time.Until(c.next)
}

// signal leaves one token; more would add nothing.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
