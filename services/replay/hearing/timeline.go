package hearing

import (
	"slices"
	"sync"
	"time"
)

// maxSpans is how many spans are remembered, for sound that is still on its way to listeners.
const maxSpans = 16

// maxDrift is by how much a packet may come earlier or later than its captured time says. Beyond it the clock of the
// recording was set.
const maxDrift = 200 * time.Millisecond

// span is a part of a replay without a jump.
type span struct {
	epoch    int64
	captured time.Time // as recorded …
	at       time.Time // … and when it was replayed
}

// timeline tells which captured time belongs to which time of the replay. It is safe for concurrent use.
type timeline struct {
	mu    sync.Mutex
	spans []span
}

// begin begins a span.
func (l *timeline) begin(epoch int64, captured, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spans) == maxSpans {
		l.spans = slices.Delete(l.spans, 0, 1)
	}
	l.spans = append(l.spans, span{epoch, captured, at})
}

// moment is when sound is replayed that was captured at a time, and whose turn has come: as far from the beginning of
// the span as it was recorded, so that blocks which came unevenly follow one another.
func (l *timeline) moment(captured, at time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.spans[len(l.spans)-1]
	even := s.at.Add(captured.Sub(s.captured))
	if even.Sub(at).Abs() <= maxDrift {
		return even
	}
	s.captured, s.at = captured, at
	return at
}

// recorded returns the epoch and the captured time of what is replayed at a time.
func (l *timeline) recorded(at time.Time) (epoch int64, captured time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range slices.Backward(l.spans) {
		if i == 0 || !at.Before(s.at) {
			return s.epoch, s.captured.Add(at.Sub(s.at))
		}
	}
	return 0, at
}
