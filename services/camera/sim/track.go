package sim

import (
	"math"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/simworld"
)

const (
	// behind is how long ago the moment is that a picture shows: by then the next report is usually there. To guess what comes after the
	// last report instead would show the rover running too far and jumping back whenever it stops.
	behind = 20 * time.Millisecond
	// guess is for how long the rover is taken to go on when reports are late.
	guess = 100 * time.Millisecond
	// staleAfter is the age of the last report from which on a picture must not look live.
	staleAfter = 500 * time.Millisecond
	// jump is what no rover travels between two reports, in metres: it was put somewhere else.
	jump = 0.5
	// The trail on the map has that many points, that far apart in metres.
	trailLength  = 256
	trailSpacing = 0.04
)

// moment is what a picture shows.
type moment struct {
	pose   simworld.Pose
	bumped bool
	trail  []place // oldest first; not to be kept
	stale  bool    // pose is where the rover was last, or where it starts
}

// place is a point of the map, in metres.
type place struct{ x, y float64 }

// track knows where the rover is. hear may be called from any goroutine, the rest from the one that takes pictures.
type track struct {
	world *simworld.World

	mu           sync.Mutex
	before, last Report // the last two; Time is zero if there is none
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

// begin returns what is closed by the next report.
func (t *track) begin() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = make(chan struct{})
	return t.heard
}

// hear takes a report.
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

// apart reports whether the rover may have been put somewhere else between two reports.
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

// pose is where the rover was at a moment: between the last two reports, or where it got to after the last one.
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

// mix is the pose at a part of the way from a to b, which are near each other.
func mix(a, b simworld.Pose, part float64) simworld.Pose {
	turn := math.Remainder(b.Heading-a.Heading, 2*math.Pi)
	return simworld.Pose{X: a.X + part*(b.X-a.X), Y: a.Y + part*(b.Y-a.Y), Heading: a.Heading + part*turn}
}
