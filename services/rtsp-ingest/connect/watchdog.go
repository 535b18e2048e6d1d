package connect

import (
	"sync"
	"time"
)

// Limits of silence, of which the longer counts.
const (
	stallAfter   = time.Second // without a picture: stalled
	stallFrames  = 5           // picture times
	giveUpAfter  = 2 * time.Second
	giveUpFrames = 10
	maxSilence   = 30 * time.Second // however slow the pictures are
)

// rateWindow is over how many pictures the rate is measured.
const rateWindow = 32

// watchdog knows when pictures came. Its methods are safe for concurrent use.
type watchdog struct {
	patience time.Duration // the least silence before the connection is given up; does not change

	mu      sync.Mutex
	first   time.Time
	arrived [rateWindow]time.Time // a ring
	count   int
}

// picture notes a picture.
func (w *watchdog) picture(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		w.first = at
	}
	w.arrived[w.count%rateWindow] = at
	w.count++
}

// lasted is from the first picture to the last. There has been one.
func (w *watchdog) lasted() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.arrived[(w.count-1)%rateWindow].Sub(w.first)
}

// interval is the mean time between the last pictures; 0 before the second.
func (w *watchdog) interval() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(w.count, rateWindow)
	if n < 2 {
		return 0
	}
	first, last := w.arrived[(w.count-n)%rateWindow], w.arrived[(w.count-1)%rateWindow]
	return last.Sub(first) / time.Duration(n-1)
}

// limits returns until when the next picture must have come for the camera to be alive, and for the connection to be
// kept. There has been a picture.
func (w *watchdog) limits() (stalled, dead time.Time) {
	interval := w.interval()
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.arrived[(w.count-1)%rateWindow]
	return last.Add(min(max(stallAfter, stallFrames*interval), maxSilence)),
		last.Add(min(max(giveUpAfter, giveUpFrames*interval, w.patience), maxSilence))
}

// rate is how many pictures come in a second; 0 before the second picture.
func (w *watchdog) rate() float64 {
	if interval := w.interval(); interval > 0 {
		return float64(time.Second) / float64(interval)
	}
	return 0
}
