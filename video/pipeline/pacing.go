package pipeline

import (
	"sync"
	"time"
)

// keyInterval is the least time between two requested key frames, while the stream is not limited.
const keyInterval = 100 * time.Millisecond

// keyPacer coalesces requests for key frames: any number of them, from any goroutine, give one key frame at once if
// there was none for an interval, and otherwise one at the end of it.
type keyPacer struct {
	mu     sync.Mutex
	wanted bool
	last   time.Time
}

func (k *keyPacer) request() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wanted = true
}

// waits reports whether a request is yet to be met.
func (k *keyPacer) waits() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.wanted
}

// take reports whether the next picture has to be a key frame.
func (k *keyPacer) take(now time.Time, interval time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.wanted || now.Sub(k.last) < interval {
		return false
	}
	k.wanted, k.last = false, now
	return true
}

// made records a key frame that began at the given time, requested or not.
func (k *keyPacer) made(begun time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = begun
}
