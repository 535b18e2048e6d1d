package source

import "github.com/waldo-robot/waldo/pkg/media"

// Gap leaves out frames that cannot be decoded because something before them was lost in a queue, or left out. The zero
// value is ready to use, by one goroutine.
type Gap struct {
	lost    uint64 // so far
	missing int    // frames since the last that was delivered
	open    bool
}

// Skip leaves out a frame.
func (g *Gap) Skip(f Frame) {
	g.missing += 1 + f.Lost
	g.open = g.open || media.InterCoded(f.Format.GetMediaType())
}

// Close returns a frame that can be decoded, with the number of those lost before it; false if it cannot. lost is what the
// queue has lost so far.
func (g *Gap) Close(f Frame, lost uint64) (Frame, bool) {
	if lost > g.lost {
		g.missing += int(lost - g.lost)
		g.lost, g.open = lost, media.InterCoded(f.Format.GetMediaType())
	}
	if g.open && !f.Key {
		g.missing += 1 + f.Lost
		return f, false
	}
	f.Lost += g.missing
	g.missing, g.open = 0, false
	return f, true
}
