package tracks

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	const tick = time.Second / videoRate
	begin := time.Unix(1_700_000_000, 0)
	type step struct {
		epoch            int64
		capture, arrival time.Duration // after begin
		want             int32         // ticks after the step before
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"captures count, not arrivals", []step{{1, 0, 0, 0}, {1, 33 * time.Millisecond, 90 * time.Millisecond, 2970},
			{1, 66 * time.Millisecond, 91 * time.Millisecond, 2970}}},
		{"arrivals count over an epoch", []step{{1, 0, 0, 0}, {2, time.Hour, 500 * time.Millisecond, 45000},
			{2, time.Hour + 33*time.Millisecond, 600 * time.Millisecond, 2970}}},
		{"clock of the device set forward", []step{{1, 0, 0, 0}, {1, time.Hour, 33 * time.Millisecond, 2970},
			{1, time.Hour + 33*time.Millisecond, 66 * time.Millisecond, 2970}}},
		{"clock of the device set back", []step{{1, 0, 0, 0}, {1, -time.Hour, 33 * time.Millisecond, 2970},
			{1, -time.Hour + 33*time.Millisecond, 66 * time.Millisecond, 2970}}},
		{"captures that stand still", []step{{1, 0, 0, 0}, {1, 0, time.Millisecond, 1}, {1, 0, 2 * time.Millisecond, 1}}},
		{"a little back", []step{{1, 0, 0, 0}, {1, -time.Millisecond, time.Millisecond, 1}}},
		{"new epoch at the same instant", []step{{1, 0, 0, 0}, {2, 0, 0, 1}}},
		// more than half the range: any step forward will do
		{"a day without frames", []step{{1, 0, 0, 0}, {2, 0, 24 * time.Hour, 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := rtpClock{anchor: 0xfffff000, last: 0xfffff000} // wraps soon
			var last uint32
			for i, s := range tt.steps {
				ts := c.stamp(s.epoch, begin.Add(s.capture), begin.Add(s.arrival))
				if got := int32(ts - last); i > 0 && got != s.want && got != s.want-1 && got != s.want+1 || i > 0 && got <= 0 {
					t.Errorf("step %d: %d ticks on, want %d", i, got, s.want)
				}
				last = ts
			}
		})
	}
	if ticks(time.Second, videoRate) != videoRate || int32(ticks(-tick*90, videoRate)) > -89 {
		t.Errorf("a second is %d ticks, 90 ticks back are %d", ticks(time.Second, videoRate),
			int32(ticks(-tick*90, videoRate)))
	}
}

func TestClockWithoutCaptureTime(t *testing.T) {
	c := rtpClock{}
	now := time.Now()
	a := c.stamp(1, time.Time{}, now)
	if b := c.stamp(1, time.Time{}, now.Add(time.Second)); b-a != videoRate {
		t.Errorf("a second is %d ticks without capture times, want %d", b-a, videoRate)
	}
}
