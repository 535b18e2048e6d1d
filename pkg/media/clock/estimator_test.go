package clock

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// Of a camera with jitter of 4 ms and 2 % bursts of 50 to 300 ms, 99 % of the pictures are within 1 ms (3 ms at 300
// ppm, by which the earliest of 8 s lags) of the earliest they could have come, and none moves by more than 2 ms
// against its stamp.
func TestDriftIsFollowed(t *testing.T) {
	for _, ppm := range []float64{0, 50, -50, 300, -300} {
		t.Run(fmt.Sprint(ppm, " ppm"), func(t *testing.T) {
			shots := after(camera{ppm: ppm, jitter: 4 * ms, burst: 0.02}.run(t, New(0), 10*time.Minute, nil),
				10*time.Second)
			limit := ms
			if math.Abs(ppm) > 100 {
				limit = 3 * ms
			}
			if got := worst(shots); got > limit {
				t.Errorf("99 %% are within %v, want %v", got, limit)
			}
			if got := largestStep(shots); got > 2*ms {
				t.Errorf("largest step %v, want 2ms at most", got)
			}
		})
	}
}

// Within an hour the median age of the pictures grows by less than 5 ms, whatever the drift: the first minute against
// the last.
func TestAgeDoesNotGrowInAnHour(t *testing.T) {
	for _, ppm := range []float64{0, 300, -300} {
		e := New(0)
		shots := camera{fps: 10, ppm: ppm, jitter: 4 * ms, burst: 0.02}.run(t, e, time.Hour+time.Minute, nil)
		minutes := len(shots) / 61
		first, last := medianAge(shots[:minutes]), medianAge(shots[60*minutes:])
		if grown := abs(last - first); grown >= 5*ms {
			t.Errorf("%v ppm: age grew from %v to %v", ppm, first, last)
		}
		if e.Late() {
			t.Errorf("%v ppm: late by %v", ppm, e.Delay())
		}
	}
}

// A connection that begins with pictures from the camera's buffer is right within a second of the last of them.
func TestBacklogAtTheStart(t *testing.T) {
	c := camera{jitter: 2 * ms, wait: func(at time.Duration) time.Duration { return max(0, 1500*ms-at) }}
	shots := after(c.run(t, New(0), time.Minute, nil), 2500*ms)
	if got := worst(shots); got > 2*ms {
		t.Errorf("99 %% are within %v, want 2ms", got)
	}
}

// Of a stream with B-frames, which comes in the order of decoding, only the first picture is timed by its arrival: all
// others come as early or earlier by their stamps.
func TestReorderedFromTheStart(t *testing.T) {
	const interval = 40 * ms
	for between := range 6 { // B-frames between two others
		e, start := New(0), time.Unix(1e9, 0)
		delay := time.Duration(between) * interval // from capture to the network, of what waits for nothing else
		sent := 0
		send := func(n int) {
			arrival := start.Add(time.Duration(sent)*interval + 3*ms)
			got := e.Picture(Sample{Time: time.Duration(n) * interval, Arrival: arrival}).Time
			want := start.Add(time.Duration(n-between)*interval + 3*ms)
			if sent > 0 && abs(got.Sub(want)) > ms {
				t.Errorf("%d B-frames: picture %d, as number %d, is timed %v off", between, n, sent, got.Sub(want))
			}
			sent++
		}
		send(0)
		for group := range 100 {
			last := (group + 1) * (between + 1)
			send(last)
			for b := last - between; b < last; b++ {
				send(b)
			}
		}
		if e.Late() || e.Delay() > delay+ms {
			t.Errorf("%d B-frames: delay %v, late %v", between, e.Delay(), e.Late())
		}
	}
}

func TestStampsThatJump(t *testing.T) {
	hours := 3 * time.Hour
	tests := map[string]struct {
		c      camera
		behind int // pictures that may move freely at the jump
	}{
		"forward":     {camera{stamp: from(1000, 1003*time.Second)}, confirm},
		"back":        {camera{stamp: from(1000, -1003*time.Second)}, confirm},
		"wrap":        {camera{stamp: from(1000, -time.Duration(1<<32)*time.Second/90000)}, confirm},
		"half second": {camera{stamp: from(1000, 500*ms)}, 0},
		"new timeline": {camera{stamp: from(1000, 1003*time.Second),
			restart: func(n int) bool { return n == 1000 }}, 1},
		"single, back": {camera{stamp: single(-hours)}, 0},
		"single":       {camera{stamp: single(hours)}, 0},
		"single, near": {camera{stamp: single(300 * ms)}, 0},
		"overflow":     {camera{stamp: single(math.MaxInt64 - hours)}, 0},
		"pairs": {camera{stamp: func(n int, t time.Duration) time.Duration {
			if n%2 == 1 {
				return t - 40*ms
			}
			return t
		}}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.c.jitter = 4 * ms
			e := New(0)
			shots := test.c.run(t, e, time.Minute, nil)
			if e.Late() || e.Delay() > 50*ms {
				t.Errorf("delay %v, late %v", e.Delay(), e.Late())
			}
			for _, s := range after(shots, 5*time.Second) {
				if abs(s.early()) > 60*ms {
					t.Errorf("picture of %v: %v off", s.captured, s.early())
				}
			}
			calm := after(shots, 5*time.Second)
			if test.behind > 0 {
				calm = after(shots, 40*time.Second+time.Duration(test.behind+1)*40*ms)
			}
			if got := largestStep(calm); got > maxStep {
				t.Errorf("largest step %v", got)
			}
		})
	}
}

func from(n int, by time.Duration) func(int, time.Duration) time.Duration {
	return func(m int, t time.Duration) time.Duration {
		if m >= n {
			return t + by
		}
		return t
	}
}

func single(by time.Duration) func(int, time.Duration) time.Duration {
	return func(n int, t time.Duration) time.Duration {
		if n > 500 && n%200 == 0 {
			return t + by
		}
		return t
	}
}

// A camera that stamps 25 pictures a second and sends 21 is found out, and its pictures are as old as their way was
// long.
func TestWrongRates(t *testing.T) {
	for _, rate := range []float64{0.1, 0.5, 0.84, 0.9, 0.96, 1.05, 1.2, 2, 10.5} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			e := New(0)
			shots := camera{rate: rate, jitter: 4 * ms, burst: 0.02}.run(t, e, 2*time.Minute, nil)
			if got, wrong := e.Rate(); !wrong || math.Abs(got-rate) > 0.02*max(rate, 1) {
				t.Errorf("rate %.3f, wrong %v", got, wrong)
			}
			for _, s := range after(shots, time.Minute) {
				if s.age() != 0 || s.clock != Arrival {
					t.Fatalf("picture of %v has age %v by %v", s.captured, s.age(), s.clock)
				}
			}
			if got := outside(after(shots, time.Second)); got > maxStep {
				t.Errorf("largest step %v", got)
			}
			if e.Late() {
				t.Error("late: the camera would be connected again for ever")
			}
		})
	}
}

func TestRatesThatAreRight(t *testing.T) {
	for _, rate := range []float64{0.985, 0.999, 1, 1.001, 1.015} {
		e := New(0)
		camera{rate: rate, jitter: 4 * ms, burst: 0.02}.run(t, e, time.Minute, nil)
		if got, wrong := e.Rate(); wrong || math.Abs(got-rate) > 0.02 {
			t.Errorf("%v: rate %.3f, wrong %v", rate, got, wrong)
		}
	}
}

// A rate that becomes right is relied on after 30 s, without a step.
func TestRateThatBecomesRight(t *testing.T) {
	e := New(0)
	turn := time.Minute
	shots := camera{jitter: 4 * ms, stamp: func(_ int, t time.Duration) time.Duration {
		return t - min(t-5*time.Hour, turn)/5
	}}.run(t, e, 3*time.Minute, nil)
	if _, wrong := e.Rate(); wrong {
		t.Error("still wrong")
	}
	if got := worst(after(shots, 2*time.Minute)); got > 2*ms {
		t.Errorf("99 %% are within %v", got)
	}
	if got := largestStep(shots[2:]); got > maxStep {
		t.Errorf("largest step %v", got)
	}
}

// Stamps that never change say nothing.
func TestEqualStamps(t *testing.T) {
	e := New(0)
	zero := func(int, time.Duration) time.Duration { return 0 }
	for _, s := range after(camera{jitter: 4 * ms, stamp: zero}.run(t, e, time.Minute, nil), time.Second) {
		if s.age() > 100*ms {
			t.Fatalf("picture of %v has age %v", s.captured, s.age())
		}
	}
	if e.Late() {
		t.Error("late")
	}
}

// A delay that grows by 4 ms a second at the camera is in the age, to 5 % and 20 ms, and ends in Late once it is
// beyond 250 ms for 8 s.
func TestDelayThatCreeps(t *testing.T) {
	e := New(0)
	begin := 30 * time.Second
	creep := func(at time.Duration) time.Duration { return max(0, at-begin) / 250 }
	var late time.Duration
	camera{ppm: 50, jitter: 4 * ms, wait: creep}.run(t, e, 3*time.Minute, func(s shot) {
		if hidden := creep(s.captured) - s.age(); hidden > 25*ms {
			t.Fatalf("after %v, %v of %v are hidden", s.captured, hidden, creep(s.captured))
		}
		if e.Late() && late == 0 {
			late = s.captured
		}
	})
	if want := begin + 250*lateness; late < want || late > want+20*time.Second {
		t.Errorf("late after %v, want soon after %v", late, want)
	}
	if e.Delay() < 500*ms {
		t.Errorf("delay %v, want about 600ms", e.Delay())
	}
}

// A network that delays everything for 20 s and recovers leaves nothing behind.
func TestDelayThatEnds(t *testing.T) {
	e := New(0)
	c := camera{ppm: 300, jitter: 4 * ms, wait: func(at time.Duration) time.Duration {
		if at > 3*time.Minute && at < 3*time.Minute+20*time.Second {
			return 200 * ms
		}
		return 0
	}}
	shots := c.run(t, e, 5*time.Minute, nil)
	if got := worst(after(shots, 2*time.Minute)); got > 8*ms {
		t.Errorf("99 %% are within %v", got)
	}
	if got := largestStep(after(shots, time.Second)); got > maxStep {
		t.Errorf("largest step %v", got)
	}
	if e.Late() {
		t.Error("late")
	}
}

func TestUntimedPicturesAreTimedByArrival(t *testing.T) {
	e := New(0)
	for n := range 100 {
		at := boot.Add(time.Duration(n*n) * ms)
		if got := e.Picture(Sample{Untimed: true, Time: time.Duration(n), Arrival: at}); !got.Time.Equal(at) {
			t.Fatalf("%v, want %v", got.Time, at)
		}
	}
}

func TestLatencyIsSubtracted(t *testing.T) {
	shots := camera{}.run(t, New(120*ms), time.Minute, nil)
	for _, s := range after(shots, 10*time.Second) {
		if s.age() != 120*ms {
			t.Fatalf("age %v", s.age())
		}
	}
}
