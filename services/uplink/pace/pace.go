// Package pace decides how much may be on its way to a hub at a time, so that a full link has a short queue: commands
// cross the same link, and wait behind everything that is in that queue.
//
// The receiver confirms what has arrived. How much longer a confirmation takes than the shortest one did is the time
// that bytes wait on the way. [Window] grows while that is short and shrinks while it is long, as LEDBAT does (RFC 6817):
// to 15 ms. Other connections that fill the queue therefore slow this one down, and not the other way round.
//
// It is a state machine without goroutines or a clock of its own. It is not safe for concurrent use.
package pace

import (
	"slices"
	"time"
)

const (
	// target is how long bytes may wait on the way.
	target = 15 * time.Millisecond
	// smallest and largest bound the window, in bytes; first is where it begins.
	smallest = SmallestPart
	largest  = 8 << 20
	first    = 4 << 10
	// partTime is how long a part takes, unless it is one of the bounds, in bytes.
	partTime    = 8 * time.Millisecond
	largestPart = 64 << 10
	// growth is by what share of itself, beside the smallest part, the window grows in a round trip without a queue, once
	// it has shrunk.
	growth = 1. / 16
	// filter is of how many confirmations the fastest counts: a receiver that is late once says nothing of the path.
	filter = 4
	// baseFor is how long the shortest round trip is remembered, at least.
	baseFor = time.Minute
	// stall is after what silence the window begins anew.
	stall = time.Second
	// rateFor is over what time the rate is computed.
	rateFor = time.Second
)

// SmallestPart is the least that should be sent at once, in bytes: it fits into a packet together with its headers.
const SmallestPart = 1200

// Window is how much may be on its way. The zero value is not ready: use [New].
type Window struct {
	size     float64
	probing  bool // the window doubles every round trip until there is a queue
	out      []piece
	bytes    int // of out
	base     [2]time.Duration
	baseAt   time.Time
	newest   []time.Duration // how long the newest confirmations took
	waiting  time.Duration
	shrunk   time.Time
	received []receipt
}

// piece is what was sent together.
type piece struct {
	bytes int
	at    time.Time
	full  bool // the window was in use when it was sent
}

// receipt is what was confirmed, for the rate.
type receipt struct {
	bytes int
	at    time.Time
}

// New returns a window for a connection that has just been made.
func New() *Window { return &Window{size: first, probing: true} }

// Room is how many bytes may be sent now. If nothing is on its way it is never 0.
func (w *Window) Room() int { return max(int(w.size)-w.bytes, 0) }

// Part is how much should be sent at once: what the link carries in partTime, so that a confirmation tells of the queue
// and not of the part, and so that what is urgent waits for little.
func (w *Window) Part(now time.Time) int {
	return min(max(int(float64(w.Rate(now))*partTime.Seconds()), SmallestPart), largestPart)
}

// Size is how many bytes may be on their way.
func (w *Window) Size() int { return int(w.size) }

// Out is how many bytes are on their way, and since when the oldest of them are.
func (w *Window) Out() (bytes int, since time.Time) {
	if len(w.out) == 0 {
		return 0, time.Time{}
	}
	return w.bytes, w.out[0].at
}

// Waiting is how long bytes wait on the way, as the newest confirmation shows.
func (w *Window) Waiting() time.Duration { return w.waiting }

// Sent notes that bytes were sent; they are confirmed together.
func (w *Window) Sent(bytes int, now time.Time) {
	w.bytes += bytes
	w.out = append(w.out, piece{bytes, now, 2*w.bytes >= int(w.size)})
}

// Confirmed notes that the oldest bytes on their way have arrived.
func (w *Window) Confirmed(now time.Time) {
	if len(w.out) == 0 {
		return
	}
	p := w.out[0]
	w.out = w.out[1:]
	w.bytes -= p.bytes
	took := now.Sub(p.at)
	w.learn(took, now)
	if w.newest = append(w.newest, took); len(w.newest) > filter {
		w.newest = w.newest[1:]
	}
	if w.probing { // too much is on the way as soon as one is late
		w.newest = w.newest[len(w.newest)-1:]
	}
	w.waiting = slices.Min(w.newest) - w.shortest()
	w.adapt(p, took, now)
	w.received = append(w.received, receipt{p.bytes, now})
	w.forget(now)
}

// learn keeps the shortest round trip of this minute and the one before.
func (w *Window) learn(took time.Duration, now time.Time) {
	switch {
	case w.baseAt.IsZero():
		w.base, w.baseAt = [2]time.Duration{took, took}, now
	case now.Sub(w.baseAt) >= baseFor:
		w.base, w.baseAt = [2]time.Duration{took, w.base[0]}, now
	default:
		w.base[0] = min(w.base[0], took)
	}
}

func (w *Window) shortest() time.Duration { return min(w.base[0], w.base[1]) }

// adapt grows or shrinks the window.
func (w *Window) adapt(p piece, took time.Duration, now time.Time) {
	switch {
	case w.waiting > target:
		w.probing = false
		if now.Sub(w.shrunk) >= took { // what was sent before the window shrank says nothing new
			w.shrunk = now
			w.size *= max(0.5, 1-0.5*float64(w.waiting-target)/float64(w.waiting))
		}
	case !p.full: // the window was not what limited it
	case w.probing && w.waiting > target/2:
		w.probing = false
	case w.probing:
		w.size += float64(p.bytes)
	default:
		w.size += (SmallestPart + growth*w.size) * float64(p.bytes) / w.size * float64(target-w.waiting) / float64(target)
	}
	w.size = min(max(w.size, smallest), largest)
}

// Stalled reports whether what is on its way has not been confirmed for long. The window then begins anew: the path may
// be another one afterwards.
func (w *Window) Stalled(now time.Time) bool {
	_, since := w.Out()
	if since.IsZero() || now.Sub(since) < stall+2*w.shortest() {
		return false
	}
	w.size, w.probing = smallest, false
	return true
}

// Rate is how many bytes a second have arrived of late.
func (w *Window) Rate(now time.Time) int {
	w.forget(now)
	sum := 0
	for _, r := range w.received {
		sum += r.bytes
	}
	return int(float64(sum) / rateFor.Seconds())
}

func (w *Window) forget(now time.Time) {
	i := 0
	for i < len(w.received) && now.Sub(w.received[i].at) > rateFor {
		i++
	}
	w.received = w.received[i:]
}
