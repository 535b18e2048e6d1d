package congestion

import (
	"testing"
	"time"
)

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
	for _, tt := range []struct {
		name        string
		reports     []report
		least, most int64
	}{
		{"nothing is wrong", times(20, report{0, 40 * ms, 2e6}), 0, 0},
		{"a little is lost", times(20, report{.05, 40 * ms, 2e6}), 0, 0},
		{"much is lost once", append(times(3, report{0, 40 * ms, 2e6}), report{.3, 40 * ms, 2e6}), 1_700_000, 1_700_000},
		{"it takes ever longer", append(times(3, report{0, 40 * ms, 2e6}), times(1, report{0, 400 * ms, 2e6})...), 1_600_000,
			1_600_000},
		{"all is lost", times(60, report{1, 0, 1e5}), 100_000, 100_000},
		{"it comes back", append([]report{{.5, 40 * ms, 1e6}}, times(8, report{0, 40 * ms, 7e5})...), 1_300_000, 1_500_000},
		{"it comes back and is not used", append([]report{{.5, 40 * ms, 1e6}}, times(60, report{0, 40 * ms, 1e5})...), 0, 0},
		{"nothing is known of the round trip", append([]report{{.5, 0, 1e6}}, times(2, report{0, 0, 7e5})...), 800_000,
			900_000},
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
