package pipeline

import (
	"sync"
	"time"
)

// keyInterval is the least time between two requested key frames.
const keyInterval = 100 * time.Millisecond

// keyPacer coalesces requests for key frames: any number of them, from any goroutine, give one key frame at once if
// there was none for keyInterval, and otherwise one at the end of it.
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

// take reports whether the next picture has to be a key frame.
func (k *keyPacer) take(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.wanted || now.Sub(k.last) < keyInterval {
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

// pacer skips pictures to approach a rate from below. A rate of 0 skips none.
type pacer struct {
	rate float64
	due  time.Time
}

// take reports whether a picture captured at that time is wanted. Pictures arrive at about the given rate, unevenly:
// one that is early by up to a quarter of the interval still counts.
func (p *pacer) take(at time.Time, captured float64) bool {
	if p.rate == 0 {
		return true
	}
	interval, slack := seconds(1/p.rate), time.Duration(0)
	if captured > 0 {
		slack = min(seconds(1/captured), interval) / 4
	}
	early := p.due.Sub(at)
	if early > slack && early <= 2*interval { // further off, the clock was set
		return false
	}
	if early < -interval || early > slack {
		p.due = at
	}
	p.due = p.due.Add(interval)
	return true
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
