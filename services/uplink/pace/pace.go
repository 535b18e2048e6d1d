// Package pace decides how much may be on its way to a hub at a time, so that a full link has a short queue: commands
// cross the same link, and wait behind everything that is in that queue.
//
// The receiver confirms what has arrived. How much longer a confirmation takes than the shortest one did is the time
// that bytes wait on the way. [Window] grows while that is below 10 ms and shrinks while it is above 15 ms, as LEDBAT's
// does (RFC 6817). Other connections that fill the queue therefore slow this one down, and not the other way round.
//
// Only what is about as large as a packet tells of the queue: on a narrow link something small is through in a fraction
// of the time that a packet takes, and beside it every packet would seem to have waited.
//
// It is a state machine without goroutines or a clock of its own. It is not safe for concurrent use.
package pace

import (
	"slices"
	"time"
)

const (
	// most is how long bytes may wait on the way. The window grows while they wait for less than enough, so a link on
	// which a packet takes longer than that has at most one waiting.
	most   = 15 * time.Millisecond
	enough = 10 * time.Millisecond
	// telling is the size from which on something tells of the queue, in bytes.
	telling = SmallestPart / 2
	// smallest and largest bound the window, in bytes; first is where it begins.
	smallest = SmallestPart
	largest  = 8 << 20
	first    = 4 << 10
	// partTime is how long a part takes, unless it is one of the bounds, in bytes.
	partTime    = 8 * time.Millisecond
	largestPart = 64 << 10
	// growth is by what share of itself the window grows in a round trip without a queue, once it has shrunk, and
	// growthTime by how much of what arrives, beside that: faster, a narrow link would have a long queue before the
	// first confirmation tells of it.
	growth     = 1. / 16
	growthTime = 2 * time.Millisecond
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
	size    float64
	probing bool // the window doubles every round trip until there is a queue
	out     []piece
	bytes   int // of what takes room
	parts   int // on their way, of those that tell of the queue
	base    [2]time.Duration
	baseAt  time.Time
	told    bool // base is of what tells of the queue
	// newest is how long the newest confirmations took: of what left room in the window, and of what left none. The first
	// part of a picture never waits for the others, so it does not tell what the whole window does.
	newest   [2][]time.Duration
	waiting  time.Duration
	shrunk   time.Time
	received []receipt
}

// piece is what was sent together.
type piece struct {
	bytes int
	at    time.Time
	room  bool // it takes room
	full  bool // the window was in use when it was sent
	last  int  // 1: there was no room left for another part
}

// receipt is what was confirmed, for the rate.
type receipt struct {
	bytes int
	at    time.Time
}

// New returns a window for a connection that has just been made.
func New() *Window { return &Window{size: first, probing: true} }

// Fits reports whether so many bytes may be sent now. A part may always that is alone on its way: otherwise much that
// is small would keep it from a window that is small as well.
func (w *Window) Fits(bytes int) bool {
	return int(w.size)-w.bytes >= min(bytes, SmallestPart) || w.parts == 0 && bytes >= telling
}

// Part is how much should be sent at once: what the link carries in partTime, so that a confirmation tells of the queue
// and not of the part, and so that what is urgent waits for little.
func (w *Window) Part(now time.Time) int {
	return min(max(int(float64(w.Rate(now))*partTime.Seconds()), SmallestPart), largestPart)
}

// Size is how many bytes may be on their way.
func (w *Window) Size() int { return int(w.size) }

// Out reports since when the oldest of what is on its way is, if anything is.
func (w *Window) Out() (since time.Time, is bool) {
	if len(w.out) == 0 {
		return time.Time{}, false
	}
	return w.out[0].at, true
}

// Waiting is how long bytes wait on the way, as the newest confirmation shows.
func (w *Window) Waiting() time.Duration { return w.waiting }

// Sent notes that bytes were sent, for which there was room; they are confirmed together.
func (w *Window) Sent(bytes int, now time.Time) {
	w.bytes += bytes
	if bytes >= telling {
		w.parts++
	}
	p := piece{bytes: bytes, at: now, room: true, full: 2*w.bytes >= int(w.size)}
	if w.bytes+SmallestPart > int(w.size) {
		p.last = 1
	}
	w.out = append(w.out, p)
}

// SentAtOnce is [Window.Sent] for what does not wait for room. It takes none either: otherwise something small and
// frequent would keep everything else from a window of the smallest size.
func (w *Window) SentAtOnce(bytes int, now time.Time) {
	w.out = append(w.out, piece{bytes: bytes, at: now})
}

// Confirmed notes that the oldest bytes on their way have arrived.
func (w *Window) Confirmed(now time.Time) {
	if len(w.out) == 0 {
		return
	}
	p := w.out[0]
	w.out = w.out[1:]
	if p.room {
		w.bytes -= p.bytes
		w.take(p, now)
	}
	w.received = append(w.received, receipt{p.bytes, now})
	w.forget(now)
}

// take has the window follow from how long something took.
func (w *Window) take(p piece, now time.Time) {
	took, tells := now.Sub(p.at), p.bytes >= telling
	if tells {
		w.parts--
	}
	if tells || !w.told {
		w.learn(took, tells, now)
	} else if took-w.shortest() <= most { // what is small tells of a queue that there is, and of none that there is not
		return
	}
	newest := &w.newest[p.last]
	if *newest = append(*newest, took); len(*newest) > filter {
		*newest = (*newest)[1:]
	}
	if w.probing { // too much is on the way as soon as one is late
		*newest = (*newest)[len(*newest)-1:]
	}
	w.waiting = slices.Min(*newest) - w.shortest()
	w.adapt(p, took, now)
}

// learn keeps the shortest round trip of this minute and the one before: of what tells of the queue, once there was
// any.
func (w *Window) learn(took time.Duration, tells bool, now time.Time) {
	switch {
	case w.baseAt.IsZero(), tells && !w.told:
		w.base, w.baseAt, w.told, w.newest = [2]time.Duration{took, took}, now, tells, [2][]time.Duration{}
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
	case w.waiting > most:
		w.probing = false
		if now.Sub(w.shrunk) >= took { // what was sent before the window shrank says nothing new
			w.shrunk = now
			w.size *= max(0.5, 1-0.5*float64(w.waiting-most)/float64(w.waiting))
		}
	case !p.full: // the window was not what limited it
	case w.probing && w.waiting > most/2:
		w.probing = false
	case w.probing:
		w.size += float64(p.bytes)
	case p.last > 0 && w.waiting < enough:
		step := min(SmallestPart, float64(w.Rate(now))*growthTime.Seconds()) + growth*w.size
		w.size += step * float64(p.bytes) / w.size * float64(enough-w.waiting) / float64(enough)
	}
	w.size = min(max(w.size, smallest), largest)
}

// Stalled reports whether what is on its way has not been confirmed for long. The window then begins anew: the path may
// be another one afterwards.
func (w *Window) Stalled(now time.Time) bool {
	since, is := w.Out()
	if !is || now.Sub(since) < stall+2*w.shortest() {
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
