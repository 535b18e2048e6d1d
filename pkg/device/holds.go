package device

import (
	"sync"
	"time"
)

// maxHolders bounds what strangers can make a device remember.
const maxHolders = 1000

// holds remembers who reads a stream on the bus and until when.
type holds struct {
	mu      sync.Mutex
	until   map[string]time.Time
	timer   *time.Timer
	changed chan struct{} // closed, and replaced, when the stream becomes held or free
	stopped bool
}

func newHolds() *holds {
	return &holds{until: map[string]time.Time{}, changed: make(chan struct{})}
}

// renew makes or extends a hold; a ttl of 0 releases it. It reports false if there are too many holders already.
func (h *holds) renew(holder string, ttl time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, known := h.until[holder]
	switch {
	case h.stopped:
		return true
	case ttl <= 0:
		h.update(func() { delete(h.until, holder) })
		return true
	case !known && len(h.until) >= maxHolders:
		return false
	}
	h.update(func() { h.until[holder] = time.Now().Add(ttl) })
	h.schedule()
	return true
}

// state returns how many holders there are, and a channel that is closed when the stream becomes held or free.
func (h *holds) state() (count int, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.until), h.changed
}

// stop forgets all holders for good.
func (h *holds) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	h.update(func() { clear(h.until) })
	if h.timer != nil {
		h.timer.Stop()
	}
}

// update changes the set and tells if the stream became held or free by it.
func (h *holds) update(change func()) {
	before := len(h.until) > 0
	change()
	if before != (len(h.until) > 0) {
		close(h.changed)
		h.changed = make(chan struct{})
	}
}

// schedule wakes expire when the next hold runs out.
func (h *holds) schedule() {
	var next time.Time
	for _, t := range h.until {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if next.IsZero() {
		return
	}
	if h.timer != nil {
		h.timer.Stop()
	}
	h.timer = time.AfterFunc(time.Until(next), h.expire)
}

func (h *holds) expire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	now := time.Now()
	h.update(func() {
		for holder, t := range h.until {
			if !t.After(now) {
				delete(h.until, holder)
			}
		}
	})
	h.schedule()
}
