package sim

import (
	"math"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/simworld"
)

const (
	// behind is how far in the past a picture is: by then the next report has usually arrived. Extrapolating from the
	// last report instead would make the rover overshoot and jump back whenever it stops.
	behind = 20 * time.Millisecond
	// guess is how long the rover's motion is extrapolated when reports are late.
	guess = 100 * time.Millisecond
	// staleAfter is the age of the last report beyond which a picture must not look live.
	staleAfter = 500 * time.Millisecond
	// jump is farther than a rover can travel between two reports, in metres: somebody moved it.
	jump = 0.5
	// The number of points of the trail on the map, and their distance in metres.
	trailLength  = 256
	trailSpacing = 0.04
)

// moment is what a picture shows.
type moment struct {
	pose   simworld.Pose
	bumped bool
	trail  []place // oldest first; valid until the next moment
	stale  bool    // pose is the last one known, or the start
}

// place is a point of the map, in metres.
type place struct{ x, y float64 }

// track knows where the rover is. hear may be called from any goroutine, the rest only from the one that takes
// pictures.
type track struct {
	world *simworld.World

	mu           sync.Mutex
	before, last Report // the last two; Time is zero where there is none
	heard        chan struct{}
	trail        []place
	shown        []place // for moment
}

func newTrack(world *simworld.World) *track {
	return &track{
		world: world, last: Report{Pose: world.Start()},
		trail: make([]place, 0, trailLength), shown: make([]place, 0, trailLength),
	}
}

// begin returns a channel that the next report closes.
func (t *track) begin() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = make(chan struct{})
	return t.heard
}

// hear records a report.
func (t *track) hear(r Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if apart(t.last, r) {
		t.before, t.trail = Report{}, t.trail[:0]
	} else {
		t.before = t.last
	}
	t.last = r
	t.extend(place{r.Pose.X, r.Pose.Y})
	if t.heard != nil {
		close(t.heard)
		t.heard = nil
	}
}

// apart reports whether somebody may have moved the rover between two reports.
func apart(a, b Report) bool {
	return b.Time.Sub(a.Time) > staleAfter || math.Hypot(b.Pose.X-a.Pose.X, b.Pose.Y-a.Pose.Y) > jump
}

// extend adds a point to the trail if it is far enough from the last one.
func (t *track) extend(p place) {
	if n := len(t.trail); n > 0 && math.Hypot(p.x-t.trail[n-1].x, p.y-t.trail[n-1].y) < trailSpacing {
		return
	}
	if len(t.trail) == trailLength {
		t.trail = t.trail[:copy(t.trail, t.trail[1:])]
	}
	t.trail = append(t.trail, p)
}

// at is what a picture taken now shows.
func (t *track) at(now time.Time) moment {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shown = append(t.shown[:0], t.trail...)
	return moment{
		pose: t.pose(now.Add(-behind)), bumped: t.last.Bumped, trail: t.shown,
		stale: t.last.Time.IsZero() || now.Sub(t.last.Time) > staleAfter,
	}
}

// pose is where the rover was at a moment: between the last two reports, or extrapolated from the last one.
func (t *track) pose(at time.Time) simworld.Pose {
	since := at.Sub(t.last.Time)
	switch {
	case t.last.Time.IsZero():
		return t.last.Pose
	case since >= 0:
		p, _ := t.world.Move(t.last.Pose, t.last.Left, t.last.Right, min(since, guess))
		return p
	case t.before.Time.IsZero():
		return t.last.Pose
	}
	between := t.last.Time.Sub(t.before.Time)
	return mix(t.before.Pose, t.last.Pose, max(0, 1+since.Seconds()/max(between.Seconds(), 1e-9)))
}

// mix is the pose part of the way from a to b, which are close together.
func mix(a, b simworld.Pose, part float64) simworld.Pose {
	turn := math.Remainder(b.Heading-a.Heading, 2*math.Pi)
	return simworld.Pose{X: a.X + part*(b.X-a.X), Y: a.Y + part*(b.Y-a.Y), Heading: a.Heading + part*turn}
}
