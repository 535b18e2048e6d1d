package rtc

import (
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// Sending is a video that is sent to the far end.
type Sending struct {
	// MID is its media section.
	MID string
	// Stream is what was asked for, or an alternative to it in a codec that the far end takes.
	Stream tracks.Stream
	// Track sends it.
	Track *tracks.Track
}

// Sending returns the videos that are sent, by media section.
func (p *Peer) Sending() []Sending {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Sending
	for mid, s := range p.shown {
		if t := s.track.Load(); s.agreed && t.Kind() == webrtc.RTPCodecTypeVideo {
			all = append(all, Sending{MID: mid, Stream: s.source, Track: t})
		}
	}
	slices.SortFunc(all, func(a, b Sending) int { return strings.Compare(a.MID, b.MID) })
	return all
}
