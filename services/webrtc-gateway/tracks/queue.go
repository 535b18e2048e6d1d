package tracks

import (
	"slices"
	"sync"
	"time"
)

// maxQueue bounds the frames queued for one viewer beyond its initial group: half a second at 30 fps. A viewer that is
// later than that is better served with a key frame. maxIndependent bounds the packets queued for one listener: 200 ms
// at 20 ms each.
const maxQueue, maxIndependent = 15, 10

// replayShare is how many times faster than real time an initial group must be sent. New frames that arrive meanwhile
// belong to it.
const replayShare = 4

// After a failed write nothing is tried for minPenalty, doubled after each further failure: a connection that cannot
// carry the stream must not make the device send key frames at the cost of all others.
const (
	minPenalty = time.Second
	maxPenalty = 8 * time.Second
)

// queue holds the frames that wait for one receiver. Frames that do not fit are lost: the oldest one if frames are
// independent, otherwise all of them up to the first key frame after the writer has caught up.
type queue struct {
	wake chan struct{} // has a value when frames wait

	mu      sync.Mutex
	frames  []*frame
	backlog int  // how many of them are the initial group, which does not count
	slack   int  // how many more may wait until the backlog is sent
	starved bool // only a key frame can be added
	lossy   bool // starved because frames were lost, not because the viewer is new
	stuck   bool // the writer has not returned since the queue was full

	penalty time.Duration // for the last failure
	until   time.Time     // when it ends
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1), starved: true} }

// begin fills the queue with a group and reports whether there was one.
func (q *queue) begin(group []*frame) bool {
	if len(group) == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fill(group)
	return true
}

// fill replaces the queue by a group. The caller holds q.mu.
func (q *queue) fill(group []*frame) {
	q.frames = slices.Clone(group)
	q.backlog, q.slack, q.starved = len(group), len(group)/replayShare, false
	q.signal()
}

// again fills the queue with a group for a viewer that could not use what it received. Queued frames are part of the
// group. A writer that is stuck or has failed is left alone.
func (q *queue) again(group []*frame, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(group) > 0 && !q.stuck && !now.Before(q.until) {
		q.fill(group)
	}
}

// put adds a frame. It returns how many frames were lost, and whether a key frame is needed now.
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
		return lost + 1, false // it would only arrive late
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
	if f.kept && q.backlog == len(q.frames)-1 { // a receiver that came before the group
		q.backlog++
		q.slack = max(q.slack, q.backlog/replayShare)
	}
	q.signal()
	return lost, false
}

// putNewest adds an independent frame, in place of the oldest if the queue is full. The caller holds q.mu.
func (q *queue) putNewest(f *frame) (lost int) {
	if len(q.frames) >= maxIndependent {
		q.frames[0] = nil
		q.frames, lost = q.frames[1:], 1
	}
	q.frames = append(q.frames, f)
	q.signal()
	return lost
}

// fail records a frame that could not be written. It returns how many frames are lost.
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

// pardon forgets the failures: there is another path.
func (q *queue) pardon() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.penalty, q.until = 0, time.Time{}
}

// starve lets nothing be added before a key frame. What is queued stays.
func (q *queue) starve() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.starved = true
}

// clear drops all queued frames, up to a key frame, and returns their number.
func (q *queue) clear() (lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.drop()
}

// drop empties the queue. The caller holds q.mu.
func (q *queue) drop() (lost int) {
	lost = len(q.frames)
	q.frames, q.backlog, q.slack = nil, 0, 0
	q.starved, q.lossy = true, true
	return lost
}

// take returns the oldest frame, nil if there is none, and whether it belongs to the initial group.
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
