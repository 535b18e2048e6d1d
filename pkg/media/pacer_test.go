package media_test

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
)

func TestRateIsReachedFromBelow(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, tt := range []struct{ captured, wanted float64 }{{30, 15}, {30, 10}, {30, 20}, {60, 25}, {30, 1}, {29.97, 29},
		{30, 0}} {
		p := media.Pacer{Rate: tt.wanted}
		n := 0
		const seconds = 20
		for i := range int(tt.captured * seconds) {
			jitter := time.Duration(i%3-1) * 2 * time.Millisecond
			if p.Take(start.Add(time.Duration(float64(i)/tt.captured*1e9)+jitter), tt.captured) {
				n++
			}
		}
		want := tt.wanted * seconds
		if tt.wanted == 0 {
			want = tt.captured * seconds
		}
		if float64(n) > want+1 || float64(n) < want*0.93-1 {
			t.Errorf("%v of %v pictures per second: %d in %d s", tt.wanted, tt.captured, n, seconds)
		}
	}
}

func TestRateSurvivesAClockThatJumps(t *testing.T) {
	p := media.Pacer{Rate: 10}
	now := time.Unix(100000, 0)
	for _, jump := range []time.Duration{0, -time.Hour, time.Hour} {
		now = now.Add(jump)
		n := 0
		for range 30 {
			now = now.Add(time.Second / 30)
			if p.Take(now, 30) {
				n++
			}
		}
		if n < 9 || n > 12 {
			t.Errorf("after a jump of %v: %d pictures in a second, want 10", jump, n)
		}
	}
}
