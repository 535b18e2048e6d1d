package media

import "slices"

// MaxGroupBytes bounds what a [Group] keeps: 40 s at 6 Mbit/s.
const MaxGroupBytes = 32 << 20

// Group keeps the frames of an encoded stream since its last key frame, so that a reader that comes
// later can decode at once, however rare key frames are. When they exceed MaxGroupBytes it keeps nothing
// until the next key frame. The zero value is ready to use.
type Group[F any] struct {
	frames []F
	size   int
	whole  bool // nothing has been missed since the key frame
}

// Add adds the next frame and its size in bytes.
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

// Drop forgets all frames, and ignores new ones up to the next key frame.
func (g *Group[F]) Drop() { *g = Group[F]{} }

// Frames returns the frames kept, a key frame first. The slice stays valid, but must not be changed.
func (g *Group[F]) Frames() []F { return slices.Clip(g.frames) }

// Len is the number of frames kept.
func (g *Group[F]) Len() int { return len(g.frames) }
