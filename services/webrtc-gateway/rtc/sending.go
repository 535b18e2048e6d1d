package rtc

import (
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/playout"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// Sending is a video that is sent to the far end.
type Sending struct {
	// MID is its media section.
	MID string
	// Stream is what was asked for, or an alternative to it in a codec that the far end takes.
	Stream tracks.Stream
	// Playout is how long the far end is to hold pictures back.
	Playout playout.Delay
	// Repaired is the share of packets that were sent again in the last 5 s, 0 to 1.
	Repaired float64
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
			delay, repaired := t.Playout()
			all = append(all, Sending{MID: mid, Stream: s.source, Playout: delay, Repaired: repaired, Track: t})
		}
	}
	slices.SortFunc(all, func(a, b Sending) int { return strings.Compare(a.MID, b.MID) })
	return all
}
