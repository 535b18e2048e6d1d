package limits

import (
	"testing"
	"time"
)

// TestBudget: after a large picture a stream waits, for as long as that takes, and not for what was before the limit.
func TestBudget(t *testing.T) {
	const limit = 800_000 // 100 bytes a millisecond
	now := time.Unix(1000, 0)
	var b Budget
	b.Ready(0, now)
	b.Spend(20_000)
	for _, step := range []struct {
		after time.Duration
		limit int64
		spend int
		want  bool
	}{
		{33 * ms, limit, 3000, false}, // what came before has to get through the same path
		{time.Second, limit, 3000, true},
		{33 * ms, limit, 3000, true},
		{33 * ms, limit, 20_000, true}, // a key frame
		{33 * ms, limit, 0, false},
		{33 * ms, limit, 0, false},
		{60 * ms, limit, 3000, true},
		{0, 0, 1 << 20, true}, // without a limit
		{33 * ms, 0, 1 << 20, true},
		{-time.Hour, 0, 0, true}, // the clock was set
		{33 * ms, limit, 0, true},
	} {
		now = now.Add(step.after)
		if got := b.Ready(step.limit, now); got != step.want {
			t.Errorf("%v later: %v", step.after, got)
		} else if got {
			b.Spend(step.spend)
		}
	}
}
