package promises

import (
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// tries is how often a ratio is measured before it counts as too high.
const tries = 3

// hold measures a ratio until it is at most limit, and fails the benchmark if it never is.
func hold(b *testing.B, limit float64, measure func() float64) {
	b.Helper()
	var seen []float64
	for range tries {
		ratio := measure()
		seen = append(seen, ratio)
		if ratio <= limit {
			break
		}
	}
	b.ReportMetric(seen[len(seen)-1], "ratio")
	b.ReportMetric(limit, "limit")
	b.ReportMetric(0, "ns/op")
	if slices.Min(seen) > limit {
		b.Errorf("the ratio is %.2f, and must not exceed %.2f", seen, limit)
	}
}

// median of samples; it sorts them.
func median(b *testing.B, samples []float64) float64 {
	b.Helper()
	if len(samples) == 0 {
		b.Fatal("nothing was measured")
	}
	slices.Sort(samples)
	return harness.Quantile(samples, 0.5)
}
