package control

import (
	"math"
	"slices"
	"testing"
	"time"
)

// sighted is like driven, with drivers who have to see: slow is 300 ms, stop is 800 ms.
func sighted(t *testing.T, s Sight) *rig {
	t.Helper()
	s.Slow, s.Stop = 300*ms, 800*ms
	r := newRig(Config{Sight: s})
	if _, err := r.Acquire(0, "ann"); err != nil {
		t.Fatal(err)
	}
	if v := r.Judge(1000*ms-1, Command{Lease: 101, Sequence: 1, Heard: 900 * ms, Neutral: true}); v != Accepted {
		t.Fatalf("a neutral command needs no eyes: %v", v)
	}
	return r
}

// TestSight judges a command at 1 s.
func TestSight(t *testing.T) {
	seen := func(age time.Duration) Seen { return Seen{At: 1000*ms - age, Known: true} }
	limit := Sight{Reaction: 0.3, Full: 1.5}
	for name, tt := range map[string]struct {
		sight  Sight
		seen   Seen
		speed  float64
		rigid  bool
		want   Verdict
		factor float64
	}{
		"nothing seen":                   {speed: 0.1, want: Blind},
		"a time that is not known":       {seen: Seen{At: 999 * ms}, speed: 0.1, want: Blind},
		"a picture to come":              {seen: seen(-1), speed: 0.1, want: Blind},
		"a picture of this moment":       {seen: seen(0), speed: 1, factor: 1},
		"new enough":                     {seen: seen(300 * ms), speed: 1, factor: 1},
		"half way":                       {seen: seen(550 * ms), speed: 1, factor: 0.5},
		"half way, and as slow":          {seen: seen(550 * ms), speed: 0.5, factor: 1},
		"half way, and slower":           {seen: seen(550 * ms), speed: 0.1, factor: 1},
		"almost blind":                   {seen: seen(799 * ms), speed: 1, factor: 0.002},
		"blind":                          {seen: seen(800 * ms), speed: 0.001, want: Blind},
		"of another day":                 {seen: seen(24 * time.Hour), speed: 0.001, want: Blind},
		"too fast":                       {seen: seen(0), speed: 4, factor: 0.25},
		"infinitely fast":                {seen: seen(0), speed: math.Inf(1), factor: 0},
		"no number":                      {seen: seen(550 * ms), speed: math.NaN(), factor: 0.5},
		"less than nothing":              {seen: seen(550 * ms), speed: -1, factor: 0.5},
		"cannot be slowed, and need not": {seen: seen(300 * ms), rigid: true, factor: 1},
		"cannot be slowed":               {seen: seen(301 * ms), speed: 0.1, rigid: true, want: Blind},
		"reaction: at once":              {sight: limit, seen: seen(0), speed: 1, factor: 1},
		"reaction: it stood so far":      {sight: limit, seen: seen(300 * ms), speed: 1, factor: 1},
		"reaction: it runs on": {sight: Sight{Reaction: 0.3, Full: 1.5, Coast: 400 * ms}, seen: seen(0), speed: 1,
			factor: 0.5},
		"reaction: less time is left": {sight: Sight{Reaction: 0.03, Full: 1.5}, seen: seen(700 * ms), speed: 0.2, factor: 1},
		"reaction: short":             {sight: Sight{Reaction: 0.03, Full: 1.5}, seen: seen(0), speed: 1, factor: 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			r := sighted(t, tt.sight)
			v, factor := r.Arbiter.Judge(1000*ms, Command{Lease: 101, Sequence: 2, Heard: 1000 * ms, Seen: tt.seen,
				Speed: tt.speed, Rigid: tt.rigid})
			if v != tt.want || math.Abs(factor-tt.factor) > 1e-9 {
				t.Errorf("%v, slowed by %v; want %v, %v", v, factor, tt.want, tt.factor)
			}
			stops := []Cause(nil)
			if tt.want == Blind {
				stops = []Cause{CauseBlind}
			}
			if !slices.Equal(r.stops, stops) {
				t.Errorf("stopped by %v, want %v", r.stops, stops)
			}
		})
	}
}

// TestBlindStop: the command in force ends when its picture gets too old, and not before; what has been sent before
// that does not count any more.
func TestBlindStop(t *testing.T) {
	r := sighted(t, Sight{})
	command := func(now Clock, sequence int64, seen Seen) Verdict {
		return r.Judge(now, Command{Lease: 101, Sequence: sequence, Heard: now, Seen: seen, Speed: 0.1})
	}
	if v := command(1000*ms, 2, Seen{At: 300 * ms, Known: true}); v != Accepted {
		t.Fatal(v)
	}
	if next, ok := r.Next(); !ok || next != 1100*ms {
		t.Errorf("next is %v", next)
	}
	if r.Advance(1100*ms - 1); len(r.stops) > 0 {
		t.Errorf("stopped too early by %v", r.stops)
	}
	r.Advance(1100 * ms)
	if !slices.Equal(r.stops, []Cause{CauseBlind}) || r.State().Phase != PhaseSafe || r.State().Cause != CauseBlind {
		t.Errorf("stopped by %v: %+v", r.stops, r.State())
	}
	if v := r.Judge(1101*ms,
		Command{Lease: 101, Sequence: 3, Heard: 1099 * ms, Seen: Seen{1090 * ms, true}}); v != BeforeStop {
		t.Errorf("sent before the stop: %v", v)
	}
	// It goes on without a neutral command: nobody but the picture was away.
	if v := command(1102*ms, 4, Seen{At: 1090 * ms, Known: true}); v != Accepted {
		t.Errorf("with a new picture: %v", v)
	}
	// One who is blind while nothing moves is not stopped again, so that what is in flight has its own verdict.
	r.Advance(1302 * ms)
	before := len(r.stops)
	for i := range int64(3) {
		if v := command(1310*ms, 5+i, Seen{}); v != Blind || len(r.stops) != before {
			t.Errorf("blind: %v, %v", v, r.stops)
		}
	}
	if age, known := r.Age(1320 * ms); known {
		t.Errorf("the picture that nobody saw is %v old", age)
	}
}

// TestAllowed tells a driver what is allowed before they move.
func TestAllowed(t *testing.T) {
	if got := newRig(Config{}).Allowed(0); got != 1 {
		t.Errorf("nothing is watched, and %v is allowed", got)
	}
	r := sighted(t, Sight{})
	if got := r.Allowed(1000 * ms); got != 0 {
		t.Errorf("nothing is seen, and %v is allowed", got)
	}
	r.Judge(1000*ms,
		Command{Lease: 101, Sequence: 2, Heard: 1000 * ms, Neutral: true, Seen: Seen{At: 900 * ms, Known: true}})
	for at, want := range map[Clock]float64{1000 * ms: 1, 1200 * ms: 1, 1450 * ms: 0.5, 1700 * ms: 0, 1800 * ms: 0} {
		if got := r.Allowed(at); math.Abs(got-want) > 1e-9 {
			t.Errorf("at %v %v is allowed, want %v", at, got, want)
		}
		if age, known := r.Age(at); !known || age != at-900*ms {
			t.Errorf("at %v the picture is %v old, %v", at, age, known)
		}
	}
	r.Release(1900*ms, 101)
	if _, known := r.Age(1900 * ms); known || r.Allowed(1900*ms) != 0 {
		t.Error("nobody drives, and sees")
	}
}

// TestSteadyDrive: with a limit of reaction the speed settles where the way from a capture to the end of the command
// fits: R / (age + deadman).
func TestSteadyDrive(t *testing.T) {
	r := sighted(t, Sight{Reaction: 0.3, Full: 1.5})
	var speed float64
	for i := range int64(60) {
		now := 1000*ms + Clock(i)*33*ms
		v, factor := r.Arbiter.Judge(now, Command{Lease: 101, Sequence: 2 + i, Heard: now, Speed: 1,
			Seen: Seen{At: now - 100*ms, Known: true}})
		if v != Accepted {
			t.Fatal(v)
		}
		speed = factor * 1.5
	}
	if math.Abs(speed-0.3/(0.1+0.2)) > 0.1 {
		t.Errorf("%v m/s, want about 1", speed)
	}
}

// TestWay is bounded, and is never shorter than what was commanded.
func TestWay(t *testing.T) {
	var w way
	var truth float64
	for i := range 200_000 {
		now := Clock(i) * ms / 10
		w.change(now, float64(i%7)/6, 0)
		truth += float64(i%7) / 6 * 0.0001
	}
	if n := len(w.legs); n > int(2*wayKept/legLeast)+2 {
		t.Errorf("%d legs are kept", n)
	}
	if far := w.between(10*time.Second, 20*time.Second); far < truth/2 || far > 10+1e-9 {
		t.Errorf("%v of full speed in 10 s; at least %v", far, truth/2)
	}
	w = way{}
	w.change(0, 1, 0)
	w.stop(1000*ms, 400*ms)
	w.stop(1100*ms, 400*ms) // it comes to a stop already
	for to, want := range map[Clock]float64{1000 * ms: 1, 1200 * ms: 1.15, 1400 * ms: 1.2, 9000 * ms: 1.2} {
		if got := w.between(0, to); math.Abs(got-want) > 1e-9 {
			t.Errorf("until %v: %v, want %v", to, got, want)
		}
	}
	w.change(1200*ms, 0, 0)
	if got := w.between(0, 9000*ms); math.Abs(got-1.15) > 1e-9 {
		t.Errorf("stopped while it came to a stop: %v", got)
	}
}
