package device

import (
	"errors"
	"sync"
	"time"
)

// maxHolders bounds what strangers can make a device remember.
const maxHolders = 1000

var (
	errTooManyHolders = errors.New("too many holders")
	errStopped        = errors.New("the device is stopping")
)

// holds remembers who reads a stream on the bus and until when.
type holds struct {
	told func() // called after the number of holders changed, without mu

	mu      sync.Mutex
	until   map[string]time.Time
	timer   *time.Timer
	changed chan struct{} // closed, and replaced, when the stream becomes held or free
	stopped bool
}

func newHolds(told func()) *holds {
	return &holds{told: told, until: map[string]time.Time{}, changed: make(chan struct{})}
}

// renew makes or extends a hold; a ttl of 0 releases it.
func (h *holds) renew(holder string, ttl time.Duration) (err error) {
	h.update(func() {
		_, known := h.until[holder]
		switch {
		case h.stopped:
			err = errStopped
		case ttl <= 0:
			delete(h.until, holder)
		case !known && len(h.until) >= maxHolders:
			err = errTooManyHolders
		default:
			h.until[holder] = time.Now().Add(ttl)
		}
	})
	return err
}

// state returns how many holders there are, and a channel that is closed when the stream becomes held or free.
func (h *holds) state() (count int, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.until), h.changed
}

// stop forgets all holders for good.
func (h *holds) stop() {
	h.update(func() {
		h.stopped = true
		clear(h.until)
	})
}

// expire forgets the holders whose time is over.
func (h *holds) expire() {
	h.update(func() {
		now := time.Now()
		for holder, t := range h.until {
			if !t.After(now) {
				delete(h.until, holder)
			}
		}
	})
}

// update changes the set, tells those who want to know, and sees to the next expiry.
func (h *holds) update(change func()) {
	h.mu.Lock()
	before := len(h.until)
	change()
	after := len(h.until)
	if (before > 0) != (after > 0) {
		close(h.changed)
		h.changed = make(chan struct{})
	}
	h.schedule()
	h.mu.Unlock()
	if before != after {
		h.told()
	}
}

// schedule wakes expire when the next hold runs out.
func (h *holds) schedule() {
	if h.timer != nil {
		h.timer.Stop()
	}
	var next time.Time
	for _, t := range h.until {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if !next.IsZero() {
		h.timer = time.AfterFunc(time.Until(next), h.expire)
	}
}
