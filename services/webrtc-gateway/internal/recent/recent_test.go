package recent_test

import (
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/recent"
)

func TestTurn(t *testing.T) {
	const part = 100 * time.Millisecond
	began := time.Unix(1_700_000_000, 0)
	var ring [4]int
	var current int64
	for _, step := range []struct {
		at   time.Duration
		want []int // sorted
	}{
		{0, []int{0, 0, 0, 1}},
		{99 * time.Millisecond, []int{0, 0, 0, 2}},
		{100 * time.Millisecond, []int{0, 0, 1, 2}},
		{50 * time.Millisecond, []int{0, 0, 2, 2}}, // time does not go back
		{300 * time.Millisecond, []int{0, 1, 2, 2}},
		{400 * time.Millisecond, []int{0, 1, 1, 2}}, // the first has been overwritten
		{time.Hour, []int{0, 0, 0, 1}},
	} {
		*recent.Turn(ring[:], part, &current, began.Add(step.at))++
		if got := slices.Sorted(slices.Values(ring[:])); !slices.Equal(got, step.want) {
			t.Errorf("after %v: %v, want %v", step.at, got, step.want)
		}
	}
}
