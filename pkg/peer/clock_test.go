package peer

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// TestClock: the estimate with the shortest round trip counts, for half a minute.
func TestClock(t *testing.T) {
	var c clock
	begin := time.Now()
	if _, ok := c.now(begin); ok {
		t.Fatal("the time is known before the first answer")
	}
	// The gateway is an hour ahead. Answers take longer one way than the other.
	sample := func(after, there, back time.Duration) {
		sent := begin.Add(after)
		c.sample(sent, sent.Add(there+back), sent.Add(there+time.Hour))
	}
	off := func(after time.Duration) time.Duration {
		now, _ := c.now(begin.Add(after))
		return now.Sub(begin.Add(after + time.Hour).Round(0))
	}
	sample(0, 90*time.Millisecond, 10*time.Millisecond)
	if got := off(time.Second); got != 40*time.Millisecond {
		t.Errorf("off by %v after the first answer, want half of what the ways differ by", got)
	}
	sample(time.Second, 3*time.Millisecond, time.Millisecond)
	sample(2*time.Second, 0, 100*time.Millisecond)
	if got := off(3 * time.Second); got != time.Millisecond {
		t.Errorf("off by %v, want that of the shortest round trip", got)
	}
	sample(40*time.Second, 10*time.Millisecond, 30*time.Millisecond)
	if got := off(41 * time.Second); got != -10*time.Millisecond {
		t.Errorf("off by %v, want that of the last half minute", got)
	}
	c.sample(begin.Add(time.Minute), begin, begin) // an answer before the question
	c.reset()
	if _, ok := c.now(begin); ok {
		t.Error("the time of another gateway is known")
	}
}

// TestShownCounts: ages are those at delivery, by the gateway's clock, within what the gateway takes.
func TestShownCounts(t *testing.T) {
	var s shown
	var c clock
	if s.take("front") != nil {
		t.Error("nothing was got")
	}
	s.got(timestamppb.Now(), &c)
	if v := s.take("front"); v.GetCount() != 1 || len(v.GetAgesMs()) != 0 {
		t.Errorf("without a clock: %v", v)
	}
	now := time.Now()
	c.sample(now, now, now.Add(time.Hour))
	for _, captured := range []time.Time{now.Add(time.Hour - 2*time.Second), now.Add(2 * time.Hour),
		now.Add(-24 * time.Hour)} {
		s.got(timestamppb.New(captured), &c)
	}
	s.got(nil, &c)
	v := s.take("front")
	if ages := v.GetAgesMs(); v.GetCount() != 4 || len(ages) != 3 || ages[0] < 2000 || ages[1] != 0 || ages[2] != 60_000 {
		t.Errorf("got %v", v)
	}
	for range 200 {
		s.got(timestamppb.Now(), &c)
	}
	if v := s.take("front"); v.GetCount() != 200 || len(v.GetAgesMs()) != mostAges {
		t.Errorf("%d ages of %d", len(v.GetAgesMs()), v.GetCount())
	}
}
