package relay

import "sync"

// maxQueue bounds the frames that wait for one viewer, beyond what it was given to begin with: half a second at 30 fps. Who
// is that late is better served with a key frame.
const maxQueue = 15

// queue holds the frames that wait for one viewer. What does not fit is lost up to the next key frame.
type queue struct {
	wake chan struct{} // has a value when frames wait

	mu      sync.Mutex
	frames  []*frame
	backlog int  // how many of them were there to begin with, and do not count
	starved bool // nothing but a key frame can be added
	lossy   bool // starved because of an overflow, not because the viewer is new
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1), starved: true} }

// begin fills the queue with a group; false if there is none.
func (q *queue) begin(group []*frame) bool {
	if len(group) == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.frames = append(q.frames, group...)
	q.backlog, q.starved = len(q.frames), false
	q.signal()
	return true
}

// put adds a frame. It returns how many frames were lost by it, and whether the queue can take nothing but a key frame now.
func (q *queue) put(f *frame) (lost int, starved bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.starved && len(q.frames)-q.backlog >= maxQueue {
		lost = len(q.frames)
		clear(q.frames)
		q.frames, q.backlog = q.frames[:0], 0
		q.starved, q.lossy = true, true
	}
	if q.starved && !f.key {
		if q.lossy {
			lost++
		}
		return lost, true
	}
	q.starved, q.lossy = false, false
	q.frames = append(q.frames, f)
	q.signal()
	return lost, false
}

// take returns the oldest frame, nil if there is none.
func (q *queue) take() *frame {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.frames) == 0 {
		q.frames = nil
		return nil
	}
	f := q.frames[0]
	q.frames[0] = nil
	q.frames = q.frames[1:]
	q.backlog = max(0, q.backlog-1)
	return f
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
