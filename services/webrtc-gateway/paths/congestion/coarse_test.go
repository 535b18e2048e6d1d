package congestion

import (
	"math/rand/v2"
	"testing"
	"time"
)

// coarsePath is a path with an encoder that follows a [Coarse], seen in receiver reports only. Time is its own.
type coarsePath struct {
	carries  float64       // bit/s; 0: everything
	holds    time.Duration // for how long packets may wait before they are lost
	loses    float64       // share of packets, at any rate
	trip     func(at time.Duration, r *rand.Rand) time.Duration
	overload bool // the encoder makes half of what it may
}

const encoderMost = 2e6 // bit/s that the encoder makes without a limit

// run reports for so long, and returns what the encoder might make after each report.
func (p coarsePath) run(span time.Duration, seed uint64) (targets []float64) {
	c, random, queue := NewCoarse(), rand.New(rand.NewPCG(seed, 1)), 0.0
	target := encoderMost
	for at := time.Duration(0); at < span; {
		every := 500*ms + time.Duration(random.Int64N(int64(time.Second))) // as RFC 3550 has it
		at += every
		sent := target * (0.85 + 0.3*random.Float64())
		if p.overload {
			sent *= 0.5
		}
		lost := p.loses
		if p.carries > 0 {
			queue = max(0, queue+every.Seconds()*(sent/p.carries-1))
			if over := queue - p.holds.Seconds(); over > 0 {
				lost += over * p.carries / (sent * every.Seconds())
				queue = p.holds.Seconds()
			}
		}
		trip := p.trip(at, random) + time.Duration(queue*float64(time.Second))
		c.Report(min(lost, 1), trip, sent, time.Unix(1_700_000_000, 0).Add(at))
		target = encoderMost
		if c.rate > 0 {
			target = min(c.rate, encoderMost)
		}
		targets = append(targets, target)
	}
	return targets
}

// rising is a round trip that is longer for some time.
func rising(by, from, to time.Duration) func(time.Duration, *rand.Rand) time.Duration {
	return func(at time.Duration, r *rand.Rand) time.Duration {
		trip := 5*ms + time.Duration(r.Int64N(int64(10*ms)))
		if at >= from && at < to {
			trip += by
		}
		return trip
	}
}

func noisy(_ time.Duration, r *rand.Rand) time.Duration {
	return 5*ms + time.Duration(r.Int64N(int64(795*ms)))
}

// TestCoarsePaths: what is no queue of our own costs little and is over soon; what is one is respected.
func TestCoarsePaths(t *testing.T) {
	still := rising(0, 0, 0)
	for _, tt := range []struct {
		name  string
		path  coarsePath
		cuts  int     // at most
		least float64 // target at any time
		end   [2]float64
	}{
		{"nothing is wrong", coarsePath{trip: still}, 0, encoderMost, [2]float64{encoderMost, encoderMost}},
		{"reports are late for 3.5 s", coarsePath{trip: rising(300*ms, 20*time.Second, 23500*ms)}, 1, 0.75 * encoderMost,
			[2]float64{encoderMost, encoderMost}},
		{"reports are late for 8 s", coarsePath{trip: rising(300*ms, 20*time.Second, 28*time.Second)}, 1,
			0.6 * encoderMost, [2]float64{encoderMost, encoderMost}},
		{"the way is longer from now on", coarsePath{trip: rising(300*ms, 20*time.Second, time.Hour)}, 1, 0.75 * encoderMost,
			[2]float64{encoderMost, encoderMost}},
		{"an overloaded peer", coarsePath{trip: noisy}, 3, 0.4 * encoderMost, [2]float64{0.6 * encoderMost, encoderMost}},
		{"an overloaded peer and encoder", coarsePath{trip: noisy, overload: true}, 3, 0.4 * encoderMost,
			[2]float64{0.6 * encoderMost, encoderMost}},
		{"a tenth is lost", coarsePath{trip: still, loses: .1}, 0, encoderMost, [2]float64{encoderMost, encoderMost}},
		{"a fifth is lost at any rate", coarsePath{trip: still, loses: .2}, 2, 0.5 * encoderMost,
			[2]float64{encoderMost, encoderMost}},
		{"a third passes, the rest is lost", coarsePath{trip: still, carries: encoderMost / 3}, 60, 0.4 * encoderMost / 3,
			[2]float64{0.6 * encoderMost / 3, 1.3 * encoderMost / 3}},
		{"a third passes, the rest waits", coarsePath{trip: still, carries: encoderMost / 3, holds: time.Hour}, 60, floor,
			[2]float64{0.4 * encoderMost / 3, 1.5 * encoderMost / 3}},
		{"a third passes, and a queue overflows", coarsePath{trip: still, carries: encoderMost / 3, holds: 600 * ms}, 60,
			0.2 * encoderMost / 3, [2]float64{0.5 * encoderMost / 3, 1.3 * encoderMost / 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(50) {
				targets := tt.path.run(2*time.Minute, seed)
				cuts, least, last := 0, targets[0], encoderMost
				for _, target := range targets {
					if target < last {
						cuts++
					}
					least, last = min(least, target), target
				}
				if cuts > tt.cuts || least < tt.least {
					t.Errorf("seed %d: cut %d times, to %.0f at least, want %d and %.0f: %.0f", seed, cuts, least, tt.cuts,
						tt.least, targets)
				}
				for _, target := range targets[len(targets)/2:] {
					if target < tt.end[0] || target > tt.end[1] {
						t.Errorf("seed %d: %.0f later, want %.0f: %.0f", seed, target, tt.end, targets)
						break
					}
				}
			}
		})
	}
}

// TestCoarseIsBackSoon: five seconds after late reports the encoder may make what it made before.
func TestCoarseIsBackSoon(t *testing.T) {
	for seed := range uint64(100) {
		targets := coarsePath{trip: rising(300*ms, 20*time.Second, 23500*ms)}.run(28500*ms, seed)
		if got := targets[len(targets)-1]; got < encoderMost {
			t.Errorf("seed %d: %.0f: %.0f", seed, got, targets)
		}
	}
}

func TestCoarse(t *testing.T) {
	type report struct {
		lost float64
		trip time.Duration
		sent float64
	}
	times := func(n int, r report) (all []report) {
		for range n {
			all = append(all, r)
		}
		return all
	}
	half := times(2, report{.5, 40 * ms, 1e6})
	for _, tt := range []struct {
		name        string
		reports     []report
		least, most int64
	}{
		{"much is lost once", append(times(3, report{0, 40 * ms, 2e6}), report{.3, 40 * ms, 2e6}), 0, 0},
		{"much is lost", times(2, report{.3, 40 * ms, 2e6}), 1_400_000, 1_400_000},
		{"it takes longer once", append(times(3, report{0, 40 * ms, 2e6}), report{0, 900 * ms, 2e6}), 0, 0},
		{"all is lost", times(60, report{1, 0, 1e5}), 100_000, 100_000},
		{"it comes back", append(half, times(8, report{0, 40 * ms, 5e5})...), 600_000, 800_000},
		{"it comes back and is not used", append(half, times(90, report{0, 40 * ms, 1e5})...), 0, 0},
		{"nothing is known of the round trip", append(half, times(5, report{0, 0, 5e5})...), 500_000, 700_000},
	} {
		c, now := NewCoarse(), time.Unix(1_700_000_000, 0)
		for _, r := range tt.reports {
			now = now.Add(time.Second)
			c.Report(r.lost, r.trip, r.sent, now)
			c.Report(r.lost, r.trip, r.sent, now.Add(10*ms)) // of another section
		}
		if got := c.Rate(); got < tt.least || got > tt.most {
			t.Errorf("%s: %d bit/s, want %d to %d", tt.name, got, tt.least, tt.most)
		}
	}
}
