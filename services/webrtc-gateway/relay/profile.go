package relay

import (
	"context"
	"encoding/hex"
	"sync"

	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// Profile is what H.264 a stream holds: profile_idc and the constraint flags of its parameter sets. The zero value stands for constrained
// baseline, which is what Waldo's own encoder makes.
type Profile struct{ idc, flags byte }

// family is a profile by its name, in the order in which it is likely to be decoded.
type family int

const (
	constrainedBaseline family = iota
	baseline
	main
	constrainedHigh
	high
	otherProfile
)

func (p Profile) family() family {
	switch {
	case p.idc == 0, p.idc == 66 && p.flags&0x40 != 0, p.idc == 77 && p.flags&0x80 != 0:
		return constrainedBaseline
	case p.idc == 66:
		return baseline
	case p.idc == 77:
		return main
	case p.idc == 100 && p.flags&0x0c == 0x0c:
		return constrainedHigh
	case p.idc == 100:
		return high
	}
	return otherProfile
}

// includes reports whether a decoder of one profile reads streams of another.
func (f family) includes(stream family) bool {
	switch {
	case f == stream, stream == constrainedBaseline:
		return true
	case f == high:
		return stream == main || stream == constrainedHigh
	}
	return false
}

// Unlike is how far a profile-level-id of SDP is from the profile of the stream: 0 is the same, then come those whose decoders read the
// stream, then the rest. A player that lists nothing that fits may still read it, and is not refused.
func (p Profile) Unlike(profileLevelID string) int {
	offered := Profile{idc: 66} // what SDP means by leaving it out
	if b, err := hex.DecodeString(profileLevelID); err == nil && len(b) == 3 {
		offered = Profile{b[0], b[1]}
	}
	stream, f := p.family(), offered.family()
	switch {
	case f == stream:
		return 0
	case f.includes(stream):
		return 1 + int(f)
	}
	return 10 + int(f)
}

// profiles remembers the profiles of streams, for players that come later.
type profiles struct {
	mu      sync.Mutex
	known   map[Stream]Profile
	changed chan struct{} // closed and replaced when a stream is new
}

func newProfiles() *profiles {
	return &profiles{known: make(map[Stream]Profile), changed: make(chan struct{})}
}

// learn takes the profile from the parameter sets of a key frame.
func (p *profiles) learn(s Stream, keyFrame []byte) {
	sps, _ := annexb.ParameterSets(keyFrame)
	if len(sps) < 4 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.known[s]; !known {
		close(p.changed)
		p.changed = make(chan struct{})
	}
	p.known[s] = Profile{sps[1], sps[2]}
}

func (p *profiles) get(s Stream) (profile Profile, known bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	profile, known = p.known[s]
	return profile, known, p.changed
}

// Profile is that of the last key frame of the viewer's stream. It waits for the first one while ctx allows, though not where the device
// makes key frames on request: such a device encodes by itself, and constrained baseline.
func (v *Viewer) Profile(ctx context.Context) Profile {
	for {
		p, known, changed := v.relay.profiles.get(v.relay.stream)
		if known || v.relay.feed.KeyFrameOnRequest() {
			return p
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return p
		}
	}
}
