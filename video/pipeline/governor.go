package pipeline

import (
	"time"

	"github.com/waldo-robot/waldo/video/pipeline/ladder"
	"github.com/waldo-robot/waldo/video/pipeline/limits"
)

// order is how a picture is to be made.
type order struct {
	step    ladder.Step
	bitrate int64 // bit/s, the target of the encoder; 0 leaves it to the encoder
	limit   int64 // bit/s, of which bitrate is not more; 0 for none
}

// Key frames under a limit.
const (
	mostKey    = 5                      // mean frames
	limitedKey = 500 * time.Millisecond // between two that were requested
)

// keysApart is the least time between two key frames that were requested.
func (o order) keysApart() time.Duration {
	if o.limit > 0 {
		return limitedKey
	}
	return keyInterval
}

// mostKey is how many bytes a key frame may have; 0 for any number.
func (o order) mostKey() int {
	rate := o.step.Rate
	if rate == 0 {
		rate = 30
	}
	return int(mostKey * float64(o.limit) / rate / 8)
}

// governor keeps a live variant within the limits of its stream. It belongs to the variant's goroutine.
type governor struct {
	p         *Pipeline
	stream    Stream
	limits    *limits.Set
	ladder    ladder.Ladder
	budget    limits.Budget
	restraint restraint
	late      bool        // a picture's turn has come that could not be made yet
	full      ladder.Step // the last one
	last      order
}

// next returns how the next picture is to be made, and whether the stream is paused.
func (g *governor) next(full ladder.Step, captured time.Time) (o order, paused bool) {
	limit, paused := g.limits.At(time.Now())
	usual := g.p.usual(g.stream, full)
	o = order{bitrate: lower(usual, limit), limit: limit}
	o.step = g.ladder.Next(full, usual, o.bitrate, captured)
	if limit > 0 {
		o.bitrate = min(o.bitrate, g.restraint.target(limit))
	}
	g.show(full, o)
	return o, paused
}

// due decides whether a picture is made that was captured at some time, if its turn has come.
func (g *governor) due(o order, turn bool, captured time.Time) bool {
	ready := g.budget.Ready(o.limit, captured)
	switch {
	case !turn && !g.late:
		return false
	case !ready:
		if !g.late {
			g.restraint.left(true)
		}
		g.late = true // the next one that may be made is
		return false
	case !g.late:
		g.restraint.left(false)
	}
	g.late = false
	return true
}

// made notes the size of an encoded picture, in bytes.
func (g *governor) made(size int) { g.budget.Spend(size) }

// show has the metrics tell what has changed.
func (g *governor) show(full ladder.Step, o order) {
	if o == g.last && full == g.full {
		return
	}
	m, last := &g.p.metrics.streams, g.last.step
	if full == g.full && (o.step.Width != last.Width || o.step.Height != last.Height) {
		m.resized.WithLabelValues(g.stream.labels()...).Inc()
	}
	m.show(g.stream, o)
	g.full, g.last = full, o
}

// close takes back what the metrics told.
func (g *governor) close() { g.p.metrics.streams.forget(g.stream) }
