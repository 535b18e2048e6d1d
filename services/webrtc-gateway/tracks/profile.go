package tracks

import (
	"context"
	"sync"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

// profiles keeps the profiles of streams for players that come later.
type profiles struct {
	mu      sync.Mutex
	known   map[Stream]codecs.Profile
	changed chan struct{} // closed and replaced when a stream is new
}

func newProfiles() *profiles {
	return &profiles{known: make(map[Stream]codecs.Profile), changed: make(chan struct{})}
}

// learn reads the profile from a key frame.
func (p *profiles) learn(s Stream, c *codecs.Codec, keyFrame []byte) {
	profile, ok := c.ProfileOf(keyFrame)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.known[s]; !known {
		close(p.changed)
		p.changed = make(chan struct{})
	}
	p.known[s] = profile
}

func (p *profiles) get(s Stream) (profile codecs.Profile, known bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	profile, known = p.known[s]
	return profile, known, p.changed
}

// Profile returns the profile of the last key frame of the track's stream. It waits for the first one while ctx allows,
// unless the device encodes the video itself, in the profile that every decoder supports.
func (t *Track) Profile(ctx context.Context, c *codecs.Codec) codecs.Profile {
	v, ok := t.tap.source().share.Value.(*video)
	if !ok || !c.HasProfiles() {
		return ""
	}
	for {
		p, known, changed := v.profiles.get(v.stream)
		if known || !v.feed.KeyFrames().AsIs {
			return p
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return p
		}
	}
}
