package playout

import (
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/recent"
)

const (
	// A path is bad if more than badShare of the packets of badSpan had to be sent again, badLeast packets at least.
	badShare = 0.01
	badSpan  = 5 * time.Second
	badLeast = 2
	// On paths that take longer than longTrip nobody waits for repairs; those that waited do so up to longTripOver, lest
	// they change all the time.
	longTrip, longTripOver = 150 * time.Millisecond, 170 * time.Millisecond
	// margin is what a repair may take beyond the round trip.
	margin = 30 * time.Millisecond
	// greatest is the greatest delay where there is one.
	greatest = time.Second
	// hold is how long a delay stays after the path was last bad. It returns by one unit every step.
	hold = 12 * time.Second
	step = 100 * time.Millisecond
)

// State is what a delay depends on.
type State struct {
	Sent, Repaired uint64        // packets since the beginning, and how many of them were sent again
	RoundTrip      time.Duration // 0: unknown
	Driving        bool          // the viewer drives
}

// Control decides the delay of one viewer. The zero value is ready.
type Control struct {
	delay  Delay
	shares shares
	bad    time.Time // when the path was last bad
	next   time.Time // when the delay may become shorter
}

// Update returns the delay for now. Counters that go back begin again.
func (c *Control) Update(s State, now time.Time) Delay {
	c.shares.add(s.Sent, s.Repaired, now)
	switch {
	case s.Driving:
		c.delay = Delay{}
	case c.shares.bad() && s.RoundTrip > 0 && s.RoundTrip <= longTrip:
		c.bad = now
		c.raise(s.RoundTrip)
	case c.delay.Min > 0 && (s.RoundTrip > longTripOver || now.Sub(c.bad) >= hold):
		c.lower(now)
	}
	return c.delay
}

// Repaired returns the share of packets of the last 5 s that were sent again, 0 to 1.
func (c *Control) Repaired() float64 { return c.shares.value() }

// raise makes the delay at least what a repair takes.
func (c *Control) raise(trip time.Duration) {
	least := (trip + margin + unit - 1) / unit * unit
	c.delay = Delay{Min: max(c.delay.Min, least), Max: greatest}
	c.next = time.Time{}
}

// lower makes the delay shorter by a unit if it is time.
func (c *Control) lower(now time.Time) {
	if now.Before(c.next) {
		return
	}
	c.next = now.Add(step)
	if c.delay.Min -= unit; c.delay.Min <= 0 {
		c.delay = Delay{}
	}
}

// shares counts packets over badSpan.
type shares struct {
	last [2]uint64
	// counts are those of the last parts of badSpan.
	counts [parts]shareCount
	part   int64 // see [recent.Turn]
}

// shareCount counts packets in a part of badSpan.
type shareCount struct{ sent, repaired uint64 }

const parts = 10

func (s *shares) add(sent, repaired uint64, now time.Time) {
	count := recent.Turn(s.counts[:], badSpan/parts, &s.part, now)
	if sent < s.last[0] || repaired < s.last[1] {
		s.last = [2]uint64{}
	}
	count.sent += sent - s.last[0]
	count.repaired += repaired - s.last[1]
	s.last = [2]uint64{sent, repaired}
}

func (s *shares) sums() (sent, repaired uint64) {
	for _, c := range s.counts {
		sent, repaired = sent+c.sent, repaired+c.repaired
	}
	return sent, repaired
}

func (s *shares) value() float64 {
	sent, repaired := s.sums()
	if sent == 0 {
		return 0
	}
	return min(1, float64(repaired)/float64(sent))
}

func (s *shares) bad() bool {
	sent, repaired := s.sums()
	return repaired >= badLeast && float64(repaired) > badShare*float64(sent)
}
