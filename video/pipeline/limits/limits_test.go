package limits

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// TestWhatIsInForce plays limits of holders, and looks at a later time.
func TestWhatIsInForce(t *testing.T) {
	type step struct {
		after time.Duration
		limit Limit
	}
	for name, tt := range map[string]struct {
		steps  []step
		after  time.Duration // the last of them
		want   int64
		paused bool
	}{
		"none":             {nil, 0, 0, false},
		"one":              {[]step{{0, Limit{"a", 500_000, time.Second}}}, 999 * ms, 500_000, false},
		"one that is over": {[]step{{0, Limit{"a", 500_000, time.Second}}}, 1000 * ms, 0, false},
		"renewed": {[]step{{0, Limit{"a", 5, time.Second}}, {900 * ms, Limit{"a", 7, time.Second}}},
			900 * ms, 7, false},
		"raised": {[]step{{0, Limit{"a", 5, time.Second}}, {0, Limit{"a", 7, time.Second}}}, 0, 7, false},
		"ended":  {[]step{{0, Limit{"a", 5, time.Second}}, {0, Limit{"a", 5, 0}}}, 0, 0, false},
		"the lowest": {[]step{{0, Limit{"a", 5, time.Second}}, {0, Limit{"b", 3, time.Second}},
			{0, Limit{"c", 4, time.Second}}}, 0, 3, false},
		"the lowest was over": {[]step{{0, Limit{"a", 5, 2 * time.Second}}, {0, Limit{"b", 3, time.Second}}},
			time.Second, 5, false},
		"a pause":              {[]step{{0, Limit{"a", 0, 200 * ms}}}, 199 * ms, 0, true},
		"a pause that is over": {[]step{{0, Limit{"a", 0, 200 * ms}}}, 200 * ms, 0, false},
		"a long pause":         {[]step{{0, Limit{"a", 0, 10 * time.Second}}}, MaxPause, 0, false},
		"the rate goes on": {[]step{{0, Limit{"a", 5, time.Second}}, {0, Limit{"a", 0, 200 * ms}}},
			300 * ms, 5, false},
		"a pause hides no other":     {[]step{{0, Limit{"a", 5, time.Second}}, {0, Limit{"b", 0, 200 * ms}}}, 0, 5, true},
		"a rate ends the pause":      {[]step{{0, Limit{"a", 0, 400 * ms}}, {0, Limit{"a", 5, time.Second}}}, 0, 5, false},
		"others do not end it":       {[]step{{0, Limit{"a", 0, 400 * ms}}, {0, Limit{"b", 5, time.Second}}}, 0, 5, true},
		"the rate ends in the pause": {[]step{{0, Limit{"a", 5, 100 * ms}}, {0, Limit{"a", 0, 400 * ms}}}, 200 * ms, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			var s Set
			now := time.Unix(1000, 0)
			for _, one := range tt.steps {
				now = now.Add(one.after)
				if err := s.Put(one.limit, now); err != nil {
					t.Fatal(err)
				}
			}
			if got, paused := s.At(now.Add(tt.after)); got != tt.want || paused != tt.paused {
				t.Errorf("in force: %d, paused %v; want %d, %v", got, paused, tt.want, tt.paused)
			}
		})
	}
}

func TestHoldersAreBounded(t *testing.T) {
	var s Set
	now := time.Unix(1000, 0)
	limit := func(i int) Limit { return Limit{fmt.Sprint("holder ", i), 100_000, time.Second} }
	for i := range MaxHolders {
		if err := s.Put(limit(i), now); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(limit(MaxHolders), now); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
	if !strings.Contains(ErrTooMany.Error(), fmt.Sprint(MaxHolders)) {
		t.Errorf("%q names another number than %d", ErrTooMany, MaxHolders)
	}
	if err := s.Put(Limit{"nobody", 0, 0}, now); err != nil {
		t.Errorf("ending what there is not: %v", err)
	}
	if err := s.Put(limit(0), now); err != nil {
		t.Errorf("renewing: %v", err)
	}
	if err := s.Put(Limit{"holder 1", 0, 0}, now); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(limit(MaxHolders), now); err != nil {
		t.Errorf("in the place of one that ended: %v", err)
	}
	if err := s.Put(limit(MaxHolders+1), now.Add(time.Second)); err != nil {
		t.Errorf("in the place of one that is over: %v", err)
	}
	if n := len(s.held); n != 1 {
		t.Errorf("%d holders are kept after all others are over", n)
	}
}

func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		limit Limit
		want  string // in the error; empty for none
	}{
		"good":         {Limit{"gateway 3f", 1, MaxTTL}, ""},
		"an end":       {Limit{"gateway 3f", 0, 0}, ""},
		"64 letters":   {Limit{strings.Repeat("ü", MaxName), 1, 1}, ""},
		"no holder":    {Limit{"", 1, 1}, "holder has 0 characters, must have 1 to 64"},
		"long holder":  {Limit{strings.Repeat("x", MaxName+1), 1, 1}, "holder has 65"},
		"control":      {Limit{"a\x1b[2J", 1, 1}, "holder has characters that cannot be printed"},
		"no UTF-8":     {Limit{"a\xff", 1, 1}, "holder has characters that cannot be printed"},
		"too long":     {Limit{"a", 1, MaxTTL + 1}, "ttl is 10.000000001s, must be 0 (ends the limit) to 10s"},
		"negative":     {Limit{"a", 1, -1}, "ttl is -1ns"},
		"a long pause": {Limit{"a", 0, MaxTTL}, ""},
	} {
		err := tt.limit.Check()
		if got := fmt.Sprint(err); tt.want == "" && err != nil || tt.want != "" && !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
