package media

import (
	"slices"
	"testing"
)

func TestGroup(t *testing.T) {
	type frame struct {
		number, size int
		key          bool
	}
	many := func(n, size int) (frames []frame) {
		for i := range n {
			frames = append(frames, frame{i, size, i == 0})
		}
		return frames
	}
	for _, tt := range []struct {
		name  string
		in    []frame
		first int // number of the first frame kept
		n     int
	}{
		{"nothing before a key frame", []frame{{1, 10, false}, {2, 10, false}}, 0, 0},
		{"from the key frame on", []frame{{1, 10, false}, {2, 10, true}, {3, 10, false}}, 2, 2},
		{"the newest key frame", []frame{{1, 10, true}, {2, 10, false}, {3, 10, true}}, 3, 1},
		{"40 s at 30 frames a second and 4 Mbit/s", many(1200, 4_000_000/8/30), 0, 1200},
		{"up to the bound", []frame{{1, MaxGroupBytes - 1, true}, {2, 1, false}}, 1, 2},
		{"beyond the bound", []frame{{1, MaxGroupBytes - 1, true}, {2, 2, false}, {3, 1, false}}, 0, 0},
		{"a key frame beyond the bound", []frame{{1, MaxGroupBytes + 1, true}, {2, 1, false}}, 0, 0},
		{"again after the bound", []frame{{1, MaxGroupBytes, true}, {2, 1, false}, {3, 1, true}, {4, 1, false}}, 3, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var g Group[int]
			for _, f := range tt.in {
				g.Add(f.number, f.size, f.key)
			}
			if got := g.Frames(); len(got) != tt.n || g.Len() != tt.n || tt.n > 0 && got[0] != tt.first {
				t.Errorf("%d frames are kept, want %d from %d on", len(got), tt.n, tt.first)
			}
		})
	}
}

// TestGroupIsRead while it grows and starts over.
func TestGroupIsRead(t *testing.T) {
	var g Group[int]
	g.Add(1, 1, true)
	g.Add(2, 1, false)
	read := g.Frames()
	g.Add(3, 1, false)
	g.Add(4, 1, true)
	if !slices.Equal(read, []int{1, 2}) {
		t.Errorf("what was read became %v", read)
	}
}
