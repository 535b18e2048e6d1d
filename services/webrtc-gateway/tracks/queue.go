package tracks

import (
	"slices"
	"sync"
	"time"
)

// maxQueue bounds the frames that wait for one viewer, beyond what it was given to begin with: half a second at 30 fps. A viewer
// that is so late is better served with a key frame. maxIndependent bounds those that wait for one listener: 200 ms at 20 ms.
const maxQueue, maxIndependent = 15, 10

// replayShare is how much faster than they were made the frames of a beginning must be sent. Meanwhile new ones come, which belong to them.
const replayShare = 4

// After a write that failed nothing is tried for so long, twice as long each time it fails again: a connection that cannot
// carry the stream must not have a key frame made for it, at the cost of all others, as often as it likes.
const (
	minPenalty = time.Second
	maxPenalty = 8 * time.Second
)

// queue holds the frames that wait for one receiver. What does not fit is lost: of frames that depend on one another all up to a key
// frame that comes when the writer has caught up, else the oldest.
type queue struct {
	wake chan struct{} // has a value when frames wait

	mu      sync.Mutex
	frames  []*frame
	backlog int  // how many of them were there to begin with, and do not count
	slack   int  // how many more may wait until the backlog is worked off
	starved bool // nothing but a key frame can be added
	lossy   bool // starved because frames were lost, not because the viewer is new
	stuck   bool // the writer has not come back since the queue was full

	penalty time.Duration // for the last failure
	until   time.Time     // when it ends
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1), starved: true} }

// begin fills the queue with a group; false if there is none.
func (q *queue) begin(group []*frame) bool {
	if len(group) == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fill(group)
	return true
}

// fill makes a group all that waits; q.mu is held.
func (q *queue) fill(group []*frame) {
	q.frames = slices.Clone(group)
	q.backlog, q.slack, q.starved = len(group), len(group)/replayShare, false
	q.signal()
}

// again fills the queue with a group for a viewer that could not use what it was sent. What waits is part of the group. A writer that is
// stuck or has failed is left alone.
func (q *queue) again(group []*frame, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(group) > 0 && !q.stuck && !now.Before(q.until) {
		q.fill(group)
	}
}

// put adds a frame. It returns how many frames were lost by it, and whether a key frame is needed now.
func (q *queue) put(f *frame) (lost int, needKey bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f.codec.Independent {
		return q.putNewest(f), false
	}
	if !q.starved && len(q.frames)-q.backlog >= maxQueue+q.slack {
		lost = q.drop()
		q.stuck = true
	}
	switch {
	case q.stuck || f.received.Before(q.until):
		return lost + 1, false // it would only be late
	case q.starved && !f.key:
		if q.lossy {
			lost++
		}
		return lost, true
	}
	if f.received.Sub(q.until) > maxPenalty {
		q.penalty = 0 // the last failure is long ago
	}
	q.starved, q.lossy = false, false
	q.frames = append(q.frames, f)
	q.signal()
	return lost, false
}

// putNewest adds a frame that needs no other, in place of the oldest if there is no room; q.mu is held.
func (q *queue) putNewest(f *frame) (lost int) {
	if len(q.frames) >= maxIndependent {
		q.frames[0] = nil
		q.frames, lost = q.frames[1:], 1
	}
	q.frames = append(q.frames, f)
	q.signal()
	return lost
}

// fail takes note of a frame that could not be written. It returns how many frames are lost by it.
func (q *queue) fail(f *frame, now time.Time) (lost int) {
	if f.codec.Independent {
		return 1 // the next one may go out
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.penalty = min(max(2*q.penalty, minPenalty), maxPenalty)
	q.until = now.Add(q.penalty)
	return q.drop() + 1
}

// clear loses all that waits, up to a key frame. It returns how many frames that were.
func (q *queue) clear() (lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.drop()
}

// drop loses all that waits; q.mu is held.
func (q *queue) drop() (lost int) {
	lost = len(q.frames)
	q.frames, q.backlog, q.slack = nil, 0, 0
	q.starved, q.lossy = true, true
	return lost
}

// take returns the oldest frame, nil if there is none, and whether it was there to begin with.
func (q *queue) take() (f *frame, replayed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.frames) == 0 {
		q.frames, q.slack, q.stuck = nil, 0, false
		return nil, false
	}
	f = q.frames[0]
	q.frames[0] = nil
	q.frames = q.frames[1:]
	replayed = q.backlog > 0
	q.backlog = max(0, q.backlog-1)
	return f, replayed
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
