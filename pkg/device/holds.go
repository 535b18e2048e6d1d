package device

import (
	"errors"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/handover"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// maxHolders bounds what strangers can make a device remember.
const maxHolders = 1000

var errTooManyHolders = errors.New("too many holders")

// holds remembers who reads a stream on the bus and until when.
type holds struct {
	told   func() // called after the number of holders changed, without mu
	joined func() // likewise, if one came to others; nil for nobody who wants to know

	mu      sync.Mutex
	until   map[string]time.Time
	timer   *time.Timer
	release func() // ends the demand; nil while the stream is free
	stopped bool

	demand stream.Demand // has one user while the stream is held
}

func newHolds(told func()) *holds {
	return &holds{told: told, until: map[string]time.Time{}}
}

// renew makes or extends a hold; a ttl of 0 releases it.
func (h *holds) renew(holder string, ttl time.Duration) (err error) {
	h.update(func() {
		_, known := h.until[holder]
		switch {
		case h.stopped:
			err = ErrStopping
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

// count returns how many holders there are.
func (h *holds) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.until)
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

// update changes the set, notifies the owner, and schedules the next expiry.
func (h *holds) update(change func()) {
	h.mu.Lock()
	before := len(h.until)
	change()
	after := len(h.until)
	switch {
	case after > 0 && h.release == nil:
		h.release = h.demand.Want()
	case after == 0 && h.release != nil:
		h.release()
		h.release = nil
	}
	h.schedule()
	h.mu.Unlock()
	if before != after {
		h.told()
	}
	if h.joined != nil && before > 0 && after > before {
		h.joined()
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

// list returns the holds, and how long they last.
func (h *holds) list(stream string) (all []handover.Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for holder, until := range h.until {
		all = append(all, handover.Hold{Stream: stream, Holder: holder, TTL: until.Sub(now)})
	}
	return all
}

// inherit puts the holds of a predecessor in the place of those that there were. They last for at least so long.
func (h *holds) inherit(all []handover.Hold, least time.Duration) {
	h.update(func() {
		if h.stopped {
			return
		}
		clear(h.until)
		for _, one := range all {
			if len(h.until) < maxHolders {
				h.until[one.Holder] = time.Now().Add(min(max(one.TTL, least), longestHold))
			}
		}
	})
}
