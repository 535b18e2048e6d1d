package device

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestHolds plays scripts against the clock of a synctest bubble. A step first waits, then renews, then looks.
func TestHolds(t *testing.T) {
	type step struct {
		wait   time.Duration
		holder string // "" renews nothing
		ttl    time.Duration
		want   int
	}
	const s = time.Second
	for name, script := range map[string][]step{
		"expires":                  {{0, "a", 3 * s, 1}, {3*s - 1, "", 0, 1}, {1, "", 0, 0}},
		"renewed":                  {{0, "a", 3 * s, 1}, {2 * s, "a", 3 * s, 1}, {2 * s, "", 0, 1}, {s, "", 0, 0}},
		"released":                 {{0, "a", 3 * s, 1}, {s, "a", 0, 0}, {9 * s, "", 0, 0}},
		"release of a stranger":    {{0, "a", 3 * s, 1}, {s, "b", 0, 1}},
		"shortened":                {{0, "a", 60 * s, 1}, {0, "a", s, 1}, {s, "", 0, 0}},
		"several":                  {{0, "a", 3 * s, 1}, {s, "b", 3 * s, 2}, {s, "c", s, 3}, {s, "", 0, 1}, {s, "", 0, 0}},
		"long one behind a short":  {{0, "a", 9 * s, 1}, {0, "b", s, 2}, {s, "", 0, 1}, {8 * s, "", 0, 0}},
		"held again after expiry":  {{0, "a", s, 1}, {2 * s, "", 0, 0}, {s, "a", s, 1}, {s, "", 0, 0}},
		"held again after release": {{0, "a", s, 1}, {0, "a", 0, 0}, {0, "a", s, 1}, {s, "", 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHolds(func() {})
				defer h.stop()
				for i, step := range script {
					time.Sleep(step.wait)
					synctest.Wait()
					if step.holder != "" {
						if err := h.renew(step.holder, step.ttl); err != nil {
							t.Fatalf("step %d: %v", i, err)
						}
					}
					if n := h.count(); n != step.want {
						t.Fatalf("step %d: %d holders, want %d", i, n, step.want)
					}
				}
			})
		})
	}
}

func TestHoldsTellOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int32
		h := newHolds(func() { told.Add(1) })
		held := false
		for i, step := range []struct {
			holder string
			ttl    time.Duration
			told   int32 // how often it was told of the number until now
			edge   bool  // held ↔ free
		}{
			{"a", 2 * time.Second, 1, true},
			{"a", 2 * time.Second, 1, false},
			{"b", time.Minute, 2, false},
			{"b", 0, 3, false},
			{"a", 0, 4, true},
			{"a", 0, 4, false},
		} {
			if err := h.renew(step.holder, step.ttl); err != nil {
				t.Fatal(err)
			}
			if told.Load() != step.told || (h.demand.Wanted() != held) != step.edge {
				t.Fatalf("step %d: told %d times, held %v", i, told.Load(), h.demand.Wanted())
			}
			held = h.demand.Wanted()
		}
		_ = h.renew("a", time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		if told.Load() != 6 {
			t.Fatalf("nobody was told of the expiry: %d", told.Load())
		}
	})
}

func TestHoldsAreBounded(t *testing.T) {
	h := newHolds(func() {})
	defer h.stop()
	for i := range maxHolders {
		if err := h.renew(fmt.Sprint(i), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.renew("one more", time.Hour); !errors.Is(err, errTooManyHolders) {
		t.Fatalf("got %v", err)
	}
	if err := h.renew("7", time.Hour); err != nil {
		t.Fatalf("a holder cannot renew any more: %v", err)
	}
	if err := h.renew("7", 0); err != nil {
		t.Fatal(err)
	}
	if err := h.renew("one more", time.Hour); err != nil {
		t.Fatalf("no room after a release: %v", err)
	}
}

// TestJoined: only who comes to others is told of.
func TestJoined(t *testing.T) {
	h := newHolds(func() {})
	defer h.stop()
	joined := 0
	h.joined = func() { joined++ }
	for i, step := range []struct {
		holder string
		ttl    time.Duration
		want   int
	}{{"a", time.Hour, 0}, {"a", time.Hour, 0}, {"b", time.Hour, 1}, {"a", 0, 1}, {"a", time.Hour, 2}, {"a", 0, 2},
		{"b", 0, 2},
		{"c", time.Hour, 2}} {
		if err := h.renew(step.holder, step.ttl); err != nil || joined != step.want {
			t.Errorf("step %d: %d have joined, want %d; %v", i, joined, step.want, err)
		}
	}
}

func TestHoldsStop(t *testing.T) {
	h := newHolds(func() {})
	_ = h.renew("a", time.Hour)
	h.stop()
	if n := h.count(); n != 0 || h.demand.Wanted() {
		t.Fatalf("still %d holders", n)
	}
	if err := h.renew("a", time.Hour); !errors.Is(err, ErrStopping) {
		t.Fatalf("held after the end: %v", err)
	}
	h.stop()
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
