package ring

import (
	"context"
	"slices"
	"testing"
	"time"
)

func TestOrderLossAndClear(t *testing.T) {
	r := New(3, 2)
	now := time.Now()
	for i := range 5 {
		r.Put([]float32{float32(i), 0, 0}, now)
	}
	if r.Lost() != 2 {
		t.Errorf("%d lost, want 2", r.Lost())
	}
	var got []float32
	for r.Take(t.Context(), never(), func(s []float32, _ time.Time) { got = append(got, s[0]) }) {
		if len(got) == 3 {
			break
		}
	}
	if !slices.Equal(got, []float32{0, 1, 2}) {
		t.Errorf("got %v", got)
	}
	r.Put([]float32{9}, now)
	r.Clear()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r.Take(ctx, nil, func([]float32, time.Time) {}) {
		t.Error("something was left after Clear")
	}
}

// never does not fire: Take finds something, or the test hangs.
func never() <-chan time.Time { return nil }

func TestOneSideBesideTheOther(t *testing.T) {
	r := New(4, 1)
	done := make(chan struct{})
	const all = 10000
	go func() {
		defer close(done)
		for i := range all {
			r.Put([]float32{float32(i)}, time.Time{})
		}
	}()
	last, got := float32(-1), uint64(0)
	take := func(s []float32, _ time.Time) {
		if s[0] <= last {
			t.Errorf("%v after %v", s[0], last)
		}
		last = s[0]
		got++
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-done; cancel() }()
	for ctx.Err() == nil {
		r.Take(ctx, nil, take)
	}
	for now := make(chan time.Time); len(r.full) > 0; {
		r.Take(t.Context(), now, take)
	}
	if got+r.Lost() != all {
		t.Errorf("%d taken and %d lost of %d", got, r.Lost(), all)
	}
}
