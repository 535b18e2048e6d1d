package steer

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// Viewer is a peer that receives videos over one path. All its methods also work, and do nothing, for nil: a viewer for
// whom nothing is steered.
type Viewer struct {
	steering *Steering
	peer     string
	path     Path
	leads    atomic.Bool // a stream follows its path

	// Guarded by the Steering's mu.
	state viewer
	shown []*shown
}

// shown is a video that a viewer receives.
type shown struct {
	section string
	video   Video
	view    view
}

// Join adds a viewer. The peer is named as in the calls that it makes. A nil Steering returns nil.
func (s *Steering) Join(peer string, path Path) *Viewer {
	if s == nil {
		return nil
	}
	v := &Viewer{steering: s, peer: peer, path: path}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.viewers = append(s.viewers, v)
	return v
}

// Leave removes the viewer, with all its videos. It may be called more than once.
func (v *Viewer) Leave() {
	if v == nil {
		return
	}
	s := v.steering
	s.mu.Lock()
	s.viewers = slices.DeleteFunc(s.viewers, func(other *Viewer) bool { return other == v })
	s.mu.Unlock()
	s.changed()
}

// Commands reports whether the viewer commands an actuator now.
func (v *Viewer) Commands(now time.Time) bool {
	return v != nil && v.steering.drivers.Commands(v.peer, now)
}

// Show tells that the viewer gets a video of a stream in a media section, instead of what was there before.
func (v *Viewer) Show(section string, main tracks.Stream, video Video) {
	if v == nil {
		return
	}
	v.steering.mu.Lock()
	v.hide(section)
	v.shown = append(v.shown, &shown{section: section, video: video, view: view{main: main}})
	v.steering.mu.Unlock()
	v.steering.changed()
}

// Hide tells that the viewer no longer gets a video in a media section.
func (v *Viewer) Hide(section string) {
	if v == nil {
		return
	}
	v.steering.mu.Lock()
	v.hide(section)
	v.steering.mu.Unlock()
	v.steering.changed()
}

func (v *Viewer) hide(section string) {
	v.shown = slices.DeleteFunc(v.shown, func(s *shown) bool { return s.section == section })
}

// Changed tells that something about the path has changed. A stream that follows the path is adapted at once,
// everything else within [turnEvery]. It never blocks.
func (v *Viewer) Changed() {
	if v != nil && v.leads.Load() {
		v.steering.changed()
	}
}
