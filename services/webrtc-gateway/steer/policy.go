package steer

import (
	"slices"
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// Reading is what is known of the path to a viewer.
type Reading struct {
	// Available is what the path carries of media, in bit/s; 0 if that is not known, or nothing limits it.
	Available int64
	// Queue is how long packets wait on the path.
	Queue time.Duration
	// Full says that more is under way than the path should hold.
	Full bool
	// Healthy says that the far end has reported lately.
	Healthy bool
	// Drives says that the viewer drives the robot.
	Drives bool
}

// strained says that the path carries more than it can for long.
func (r Reading) strained() bool { return r.Full || r.Queue > maxQueue }

const (
	// percentile is the share of viewers that may be slower than the one whose path sets the bit rate.
	percentile = 0.25
	// usable is the share that an encoder gets of what a path carries: the rest is for the headers of its packets.
	usable = 0.95
	// minRate is the lowest limit that an encoder takes, in bit/s.
	minRate = 50_000
	// maxRate is what is assumed of a stream of which nothing is known yet.
	maxRate = 50_000_000
	// minSmall and maxSmall bound the bit rate of a small version.
	minSmall, maxSmall = 150_000, 350_000
	// maxQueue is how long packets may wait on a path that is not strained.
	maxQueue = 150 * time.Millisecond
	// glideTime is how long the bit rate takes to change when a driver lets go.
	glideTime = 1500 * time.Millisecond
	// smallPatience is how long a small version is kept after its last viewer.
	smallPatience = 30 * time.Second
)

// policy is the rules. It is not safe for concurrent use.
type policy struct {
	see     string // the camera that a driver must see; empty: any
	streams map[tracks.Stream]*program
}

// viewer is one who watches: one path, and the videos that take it.
type viewer struct {
	reading Reading
	views   []*view
	want    int64 // what the path would have to carry for the next better thing, in bit/s
	leads   bool  // a stream follows the path
}

// view is one video of a viewer.
type view struct {
	main  tracks.Stream
	small bool  // there is a small version
	share int64 // of the path, in bit/s; 0 if not known
	fit   fit
}

// decide says what should be, from now on: the targets of all streams, and the version of each view.
func (p *policy) decide(now time.Time, viewers []*viewer) {
	for _, s := range p.streams {
		s.votes, s.smallVotes = s.votes[:0], s.smallVotes[:0]
	}
	for _, v := range viewers {
		p.divide(v)
		for _, w := range v.views {
			s := p.streams[w.main]
			s.votes = append(s.votes, p.vote(v, w))
		}
	}
	for _, s := range p.streams {
		s.aim(now)
	}
	for _, v := range viewers {
		v.want, v.leads = 0, false
		for _, w := range v.views {
			p.fit(now, v, w)
		}
	}
	for _, s := range p.streams {
		s.aimSmall(now)
	}
}

// vote is what a viewer says about a stream. A driver decides about the camera that they must see; about all if they do
// not watch that.
func (p *policy) vote(v *viewer, w *view) vote {
	decides := v.reading.Drives && (w.main.Device == p.see || v.seen(p.see) == nil)
	return vote{v.reading, w.share, decides}
}

// seen returns the view of a camera, nil if there is none.
func (v *viewer) seen(camera string) *view {
	i := slices.IndexFunc(v.views, func(w *view) bool { return w.main.Device == camera })
	if i < 0 {
		return nil
	}
	return v.views[i]
}

// fit chooses the version of a view.
func (p *policy) fit(now time.Time, v *viewer, w *view) {
	s := p.streams[w.main]
	main := s.rate()
	if s.follows(p.vote(v, w)) {
		w.fit, v.leads = fit{}, true
		v.want += s.full()
		return
	}
	x := fitting{share: w.share, main: main, small: w.small, strained: v.reading.strained()}
	version := w.fit.step(now, x)
	switch version {
	case whole:
		v.want += main
	case small:
		v.want += max(int64(comeBack*float64(main)), minSmall)
	case keys:
		v.want += int64(comeBack * minSmall)
	}
	if version != whole && w.small {
		s.smallVotes = append(s.smallVotes, vote{reading: v.reading, share: w.share})
	}
}

// divide gives each video of a viewer its share of the path.
func (p *policy) divide(v *viewer) {
	available, others := v.reading.Available, v.views
	if seen := v.seen(p.see); seen != nil && v.reading.Drives && available > 0 {
		n := int64(len(v.views))
		seen.share = min(p.streams[seen.main].full(), max(available/n, available-(n-1)*minSmall))
		available -= seen.share
		others = slices.DeleteFunc(slices.Clone(others), func(w *view) bool { return w == seen })
	}
	for _, w := range others {
		w.share = available / int64(len(others))
	}
}
