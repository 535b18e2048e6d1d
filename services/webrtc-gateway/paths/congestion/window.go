package congestion

import "time"

const (
	slack       = 170 * time.Millisecond // of the window, beyond the shortest turn
	silence     = 200 * time.Millisecond // beyond the shortest turn, until what is on the way counts as gone
	leastWindow = 8000                   // bytes
	again       = 0.7                    // of the window, from which a full path has room again
)

// window limits how many bytes are on the way.
type window struct {
	bytes  float64 // 0: no limit yet
	turn   time.Duration
	full   bool
	since  time.Time // when the last report came, or the first packet was sent that it could not be about
	silent int       // how often in a row everything counted as gone
}

// size sets the window for a path that carries so much.
func (w *window) size(bps float64, turn time.Duration) {
	w.turn = turn
	w.bytes = max(bps/8*(turn+slack).Seconds(), leastWindow)
}

// first takes note that a packet is sent while nothing else is on the way.
func (w *window) first(now time.Time) { w.since = now }

func (w *window) heard(now time.Time) { w.since, w.silent = now, 0 }

// Full reports whether more is on the way than the path takes. Once it is, it stays so until a part of that is gone.
func (c *Controller) Full(inFlight int64) bool {
	w := &c.window
	switch size := w.bytes; {
	case size == 0:
		w.full = false
	case w.full:
		w.full = float64(inFlight) > size*again
	default:
		w.full = float64(inFlight) > size
	}
	return w.full
}

// Gone reports whether no report has come for so long that what is on the way counts as gone; from then on only what is
// sent later counts. It must be asked before Full.
func (c *Controller) Gone(inFlight int64, now time.Time) bool {
	w := &c.window
	if inFlight == 0 || w.bytes == 0 || now.Sub(w.since) <= w.turn+silence {
		return false
	}
	w.since, w.full, w.bytes = now, false, leastWindow
	w.silent++
	if w.silent == 2 && c.rate > 0 {
		c.limit(c.rate / 2)
	}
	c.calm = time.Time{}
	return true
}
