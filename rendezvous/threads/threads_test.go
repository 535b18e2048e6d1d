package threads

import (
	"runtime"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestThreadsFollowTheLoad(t *testing.T) {
	repeat := func(busy float64, n int) []float64 { return slices.Repeat([]float64{busy}, n) }
	for _, c := range []struct {
		name string
		busy []float64
		most int
		want int
	}{
		{"nothing to do", repeat(0, 100), 8, 1},
		{"a little", repeat(0.4, 100), 8, 1},
		{"half of the time", repeat(0.6, 100), 8, 2},
		{"more", repeat(1.5, 100), 8, 4},
		{"as much as there is", repeat(8, 100), 6, 6},
		{"one core", repeat(1, 100), 1, 1},
		{"over, a moment ago", append(repeat(8, 3), repeat(0, 24)...), 8, 8},
		{"over", append(repeat(8, 3), repeat(0, 25)...), 8, 4},
		{"over for long", append(repeat(8, 3), repeat(0, 75)...), 8, 1},
		{"in between", append(repeat(8, 3), repeat(2, 100)...), 8, 8},
	} {
		l := load{threads: 1, most: c.most}
		for _, busy := range c.busy {
			l.next(busy)
		}
		if l.threads != c.want {
			t.Errorf("%s: %d threads, want %d", c.name, l.threads, c.want)
		}
	}
}

func TestAdaptRestoresWhatWasBefore(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	before := runtime.GOMAXPROCS(3)
	defer runtime.GOMAXPROCS(before)
	stop := Adapt()
	stop()
	stop()
	if n := runtime.GOMAXPROCS(0); n != 3 {
		t.Errorf("%d threads are left", n)
	}
	t.Setenv("GOMAXPROCS", "2")
	stop = Adapt()
	if n := runtime.GOMAXPROCS(0); n != 3 {
		t.Errorf("what the environment says is changed to %d", n)
	}
	stop()
}

func TestCPUTimeGrows(t *testing.T) {
	for begin := cpuTime(); cpuTime() == begin; {
		runtime.Gosched()
	}
}
