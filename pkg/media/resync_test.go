package media_test

import (
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
)

type frame struct {
	epoch, seq int64
	key, want  bool
}

func TestResync(t *testing.T) {
	tests := map[string]struct {
		frames          []frame
		missed, skipped uint64
	}{
		"starts at a key frame": {[]frame{{1, 7, false, false}, {1, 8, true, true}, {1, 9, false, true}}, 0, 1},
		"gap waits for a key": {[]frame{
			{1, 0, true, true}, {1, 2, false, false}, {1, 3, false, false}, {1, 4, true, true}, {1, 5, false, true}}, 1, 2},
		"gap before a key":      {[]frame{{1, 0, true, true}, {1, 9, true, true}, {1, 10, false, true}}, 8, 0},
		"new epoch":             {[]frame{{1, 0, true, true}, {2, 1, false, false}, {2, 2, true, true}}, 0, 1},
		"new epoch with a key":  {[]frame{{1, 5, true, true}, {2, 0, true, true}, {2, 1, false, true}}, 0, 0},
		"same again":            {[]frame{{1, 0, true, true}, {1, 0, true, false}, {1, 1, false, true}}, 0, 1},
		"late one does no harm": {[]frame{{1, 3, true, true}, {1, 1, false, false}, {1, 4, false, true}}, 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var r media.Resync
			for i, f := range tt.frames {
				if got := r.Accept(f.epoch, f.seq, f.key); got != f.want {
					t.Errorf("frame %d %+v: delivered %v", i, f, got)
				}
			}
			if r.Missed() != tt.missed || r.Skipped() != tt.skipped {
				t.Errorf("missed %d skipped %d, want %d and %d", r.Missed(), r.Skipped(), tt.missed, tt.skipped)
			}
		})
	}
}

// FuzzResync checks what a decoder relies on, for any order of frames: a delivered frame is always a key
// frame or the direct successor, in the same epoch, of the frame delivered before it.
func FuzzResync(f *testing.F) {
	f.Add([]byte{0x80, 1, 2, 4, 0x85, 6})
	f.Add([]byte{0x80, 0x40, 0xc1, 2, 2, 3})
	f.Fuzz(func(t *testing.T, script []byte) {
		var r media.Resync
		var epoch, seq int64
		delivered := false
		for _, b := range script {
			key, e, s := b&0x80 != 0, int64(b>>6&1), int64(b&0x3f)
			if r.Accept(e, s, key) {
				follows := delivered && e == epoch && s == seq+1
				if !key && !follows {
					t.Fatalf("delivered %d/%d after %d/%d", e, s, epoch, seq)
				}
				epoch, seq, delivered = e, s, true
			}
		}
	})
}
