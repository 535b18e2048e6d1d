package peer

import (
	"slices"
	"sync"
	"time"
)

// clockWindow is how long an estimate counts: long enough for a quiet moment to be among them, short enough for clocks
// that drift apart.
const clockWindow = 30 * time.Second

// clock estimates how far the gateway's clock is ahead of ours. Each ping gives an estimate, wrong by at most half its
// round trip; the one with the shortest of the last half minute counts. It is safe for concurrent use.
type clock struct {
	mu      sync.Mutex
	samples []clockSample
}

type clockSample struct {
	at     time.Time
	trip   time.Duration
	offset time.Duration
}

// sample takes the answer to a ping: when it was sent and answered by our clock, and the gateway's time in it.
func (c *clock) sample(sent, got, gateway time.Time) {
	trip := got.Sub(sent)
	if trip < 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.samples = slices.DeleteFunc(c.samples, func(s clockSample) bool { return got.Sub(s.at) >= clockWindow })
	// The wall clock counts here: what the gateway says is of its own.
	middle := sent.Add(trip / 2).Round(0)
	c.samples = append(c.samples, clockSample{at: got, trip: trip, offset: gateway.Sub(middle)})
}

// now is the gateway's time at a time of ours; false while that is not known.
func (c *clock) now(ours time.Time) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.samples) == 0 {
		return time.Time{}, false
	}
	best := c.samples[0]
	for _, s := range c.samples[1:] {
		if s.trip < best.trip {
			best = s
		}
	}
	return ours.Round(0).Add(best.offset), true
}

// reset forgets everything: another gateway has another clock.
func (c *clock) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.samples = nil
}
