package clock

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const (
	ms      = time.Millisecond
	nearest = 80 * ms // what the fastest picture of the simulated camera needs
)

var boot = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// camera simulates a camera: what it stamps, and when it arrives. Zero fields simulate nothing.
type camera struct {
	fps     float64
	ppm     float64                                    // its clock is faster by this
	rate    float64                                    // its stamps run by this factor
	jitter  time.Duration                              // mean of exponential jitter
	burst   float64                                    // probability of 50 to 300 ms more
	stamp   func(n int, t time.Duration) time.Duration // changes a stamp
	wait    func(at time.Duration) time.Duration       // further delay of what is captured at a time
	restart func(n int) bool
}

// shot is one simulated picture: when it was captured really, and what the Estimator was told and said. Times are
// from boot on.
type shot struct {
	captured, arrived, stamped time.Duration // stamped is by the camera
	got                        time.Duration
	clock                      string
}

// early returns how much later than the capture, plus the shortest way, the Estimator took the picture to be.
func (s shot) early() time.Duration { return s.got - s.captured - nearest }
func (s shot) age() time.Duration   { return s.arrived - s.got }

// run simulates a camera for a time, and gives each shot to each before the next is made.
func (c camera) run(t testing.TB, e *Estimator, length time.Duration, each func(shot)) []shot {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	if c.fps == 0 {
		c.fps = 25
	}
	if c.rate == 0 {
		c.rate = 1
	}
	var shots []shot
	var before time.Duration
	for n := 0; ; n++ {
		at := time.Duration(float64(n) / c.fps * float64(time.Second))
		if at > length {
			return shots
		}
		arrived := at + nearest + time.Duration(random.ExpFloat64()*float64(c.jitter))
		if random.Float64() < c.burst {
			arrived += 50*ms + time.Duration(random.Float64()*float64(250*ms))
		}
		if c.wait != nil {
			arrived += c.wait(at)
		}
		arrived = max(arrived, before) // TCP: none overtakes another
		before = arrived
		stamp := 5*time.Hour + time.Duration(float64(at)*c.rate*(1+c.ppm/1e6))
		if c.stamp != nil {
			stamp = c.stamp(n, stamp)
		}
		got := e.Picture(Sample{Time: stamp, Arrival: boot.Add(arrived),
			Restart: c.restart != nil && c.restart(n)})
		one := shot{at, arrived, stamp, got.Time.Sub(boot), got.Clock}
		if one.got > arrived {
			t.Fatalf("picture %d captured %v, arrived %v: in the future", n, one.got, arrived)
		}
		if shots = append(shots, one); each != nil {
			each(one)
		}
	}
}

// after returns the shots captured after a time.
func after(shots []shot, at time.Duration) []shot {
	from := slices.IndexFunc(shots, func(s shot) bool { return s.captured >= at })
	return shots[from:]
}

// largestStep returns the largest movement of the capture times against stamps or arrivals, whatever they follow.
func largestStep(shots []shot) (largest time.Duration) {
	for i := 1; i < len(shots); i++ {
		a, b := shots[i-1], shots[i]
		moved := b.got - a.got
		step := min(abs(moved-(b.stamped-a.stamped)), abs(moved-(b.arrived-a.arrived)))
		largest = max(largest, step)
	}
	return largest
}

// worst returns the 99th percentile of the absolute error.
func worst(shots []shot) time.Duration {
	errs := make([]time.Duration, len(shots))
	for i, s := range shots {
		errs[i] = abs(s.early())
	}
	slices.Sort(errs)
	return errs[len(errs)*99/100]
}

// outside returns by how much the capture times moved less, or more, than both stamps and arrivals.
func outside(shots []shot) (largest time.Duration) {
	for i := 1; i < len(shots); i++ {
		a, b := shots[i-1], shots[i]
		moved, stamps, arrivals := b.got-a.got, b.stamped-a.stamped, b.arrived-a.arrived
		largest = max(largest, min(stamps, arrivals)-moved, moved-max(stamps, arrivals))
	}
	return largest
}

func medianAge(shots []shot) time.Duration {
	ages := make([]time.Duration, len(shots))
	for i, s := range shots {
		ages[i] = s.age()
	}
	slices.Sort(ages)
	return ages[len(ages)/2]
}
