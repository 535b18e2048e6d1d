package picture

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
)

func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		name  string
		times []time.Duration // of pictures; 0 is a key frame
		want  bool
	}{
		{"in order", []time.Duration{0, 40, 80, 80, 120}, false},
		{"back", []time.Duration{0, 80, 40}, true},
		{"back at a key frame", []time.Duration{40, 80, 0, 40}, false},
		{"a clock that was set", []time.Duration{0, 5000, 5040, 40, 80}, false},
	} {
		var o order
		for _, ms := range tt.times {
			o.time(ms*time.Millisecond, ms == 0)
		}
		if o.reorders != tt.want {
			t.Errorf("%s: %v", tt.name, o.reorders)
		}
	}
	var o order
	for i := range 100 {
		o.count(2*i&15, 4, i == 0)
	}
	if o.reorders {
		t.Error("a count that wraps")
	}
	o.count(2*97&15, 4, false)
	if !o.reorders {
		t.Error("a count that goes back")
	}
}

// TestGroups: how far apart key frames are, and when that is worth a warning (row 26).
func TestGroups(t *testing.T) {
	const second, little, stall = time.Second, 2080 * time.Millisecond, 2500 * time.Millisecond
	for _, tt := range []struct {
		name  string
		keys  []time.Duration
		now   time.Duration // of the last picture
		loss  time.Duration // 0 for none
		group time.Duration
		warns bool
	}{
		{"1 s", []time.Duration{0, second, 2 * second}, 2 * second, 0, second, false},
		{"a little over 2 s", []time.Duration{0, little}, little, 0, little, false},
		{"10 s", []time.Duration{0, 10 * second}, 10 * second, 0, 10 * second, true},
		{"not over yet", []time.Duration{0}, 7 * second, 0, 7 * second, true},
		{"not over yet, and not long", []time.Duration{0}, 4 * second, 0, 4 * second, false},
		{"3 s twice", []time.Duration{0, 3 * second, 6 * second}, 7 * second, 0, 3 * second, false},
		{"3 s thrice", []time.Duration{0, 3 * second, 6 * second, 9 * second}, 9 * second, 0, 3 * second, true},
		{"3 s, not in a row", []time.Duration{0, 3 * second, 6 * second, 7 * second, 10 * second}, 10 * second, 0, 3 * second,
			false},
		{"shorter again", []time.Duration{0, 10 * second, 11 * second}, 11 * second, 0, second, false},
		{"a loss", []time.Duration{0, second, 7 * second}, 7 * second, 1500 * time.Millisecond, second, false},
		{"none", nil, 5 * second, 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pictures := clip(t, "high.h264")
			s := newStream(media.H264)
			for at := time.Duration(0); at <= tt.now; at += 20 * time.Millisecond {
				p := pictures[1]
				for _, k := range tt.keys {
					if k == at {
						p = pictures[0]
					}
				}
				p.Arrival = start.Add((at + stall).Truncate(stall)) // what a network that stalls does to it says nothing
				p.Damaged = at == tt.loss && at > 0
				s.Picture(p, start.Add(at))
			}
			if got := s.State(); got.Group != tt.group || (got.Warning != "") != tt.warns {
				t.Errorf("got %v, %q; want %v, warning: %v", got.Group, got.Warning, tt.group, tt.warns)
			}
		})
	}
}
