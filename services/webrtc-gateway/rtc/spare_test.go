package rtc

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestSpare: what can be left out gets a tenth of a path that is known to limit the connection, however much there is
// of it, and everything of one that is not.
func TestSpare(t *testing.T) {
	tests := map[string]struct {
		bytes     int
		available int64 // bit/s
		least     int   // messages in 10 s
		most      int
	}{
		"a path that limits nothing":         {1000, 0, 1000, 1000},
		"half a megabit a second":            {1000, 500_000, 55, 80},
		"more than anybody sends":            {1000, 100_000_000, 1000, 1000},
		"messages larger than what may wait": {60_000, 500_000, 7, 10},
		"a path that is nearly dead":         {1000, 1000, 1, 9},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, sent := newSpare(), 0
				for range 1000 {
					if s.take(tt.bytes, tt.available) {
						sent++
					}
					time.Sleep(10 * time.Millisecond)
				}
				if sent < tt.least || sent > tt.most {
					t.Errorf("%d of 1000 messages were sent, want %d to %d", sent, tt.least, tt.most)
				}
			})
		})
	}
}
