package media

import "slices"

// MaxGroupBytes bounds what a [Group] keeps: 40 s at 6 Mbit/s.
const MaxGroupBytes = 32 << 20

// Group keeps the frames of an encoded stream since its last key frame, so that a reader who comes later can decode at once, however rare key
// frames are. When they become more than MaxGroupBytes it keeps nothing until the next key frame. The zero value is ready.
type Group[F any] struct {
	frames []F
	size   int
	whole  bool // nothing is missing since the key frame
}

// Add takes the next frame, which has so many bytes.
func (g *Group[F]) Add(f F, size int, key bool) {
	if key {
		g.Drop()
		g.whole = true
	}
	if !g.whole {
		return
	}
	if g.size += size; g.size > MaxGroupBytes {
		g.Drop()
		return
	}
	g.frames = append(g.frames, f)
}

// Drop forgets all frames, and those to come up to the next key frame.
func (g *Group[F]) Drop() { *g = Group[F]{} }

// Frames returns what is kept, a key frame first. It may be read for as long as the reader likes, but not changed.
func (g *Group[F]) Frames() []F { return slices.Clip(g.frames) }

// Len is how many frames are kept.
func (g *Group[F]) Len() int { return len(g.frames) }
