package channels

import "testing"

// TestFit: what a path has no room for is left out, the oldest first, and counted.
func TestFit(t *testing.T) {
	all := &batch{before: 7, bodies: [][]byte{make([]byte, 100), make([]byte, 100), make([]byte, 50)}}
	tests := map[string]struct {
		room   int // bytes
		bodies int
		lost   uint64 // when a batch follows that has room
	}{
		"room for everything": {250, 3, 0},
		"too little":          {249, 1, 2},
		"for one":             {50, 1, 2},
		"for none":            {49, 0, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var lost losses
			lost.see(&batch{before: 6, bodies: [][]byte{nil}})
			got := all.fit(func(bytes int) bool { return bytes <= tt.room })
			if got == nil && tt.bodies > 0 || got != nil && len(got.bodies) != tt.bodies {
				t.Fatalf("%+v, want %d bodies", got, tt.bodies)
			}
			if got != nil {
				lost.see(got)
			}
			lost.see(&batch{before: 10, bodies: [][]byte{nil}})
			if lost.count != tt.lost {
				t.Errorf("%d are lost, want %d", lost.count, tt.lost)
			}
		})
	}
	one := &batch{before: 1, bodies: [][]byte{make([]byte, 10)}}
	if got := one.fit(func(int) bool { return false }); got != nil {
		t.Errorf("%+v", got)
	}
}
