package harness_test

import (
	"math"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestMedian compares with the ranks in tables of the confidence interval of a median.
func TestMedian(t *testing.T) {
	for n, want := range map[int][3]float64{
		1: {math.Inf(-1), 1, math.Inf(1)}, 5: {math.Inf(-1), 3, math.Inf(1)}, 6: {1, 3.5, 6}, 9: {2, 5, 8}, 20: {6, 10.5, 15},
		64: {24, 32.5, 41}, 100: {40, 50.5, 61},
	} {
		sorted := make([]float64, n)
		for i := range sorted {
			sorted[i] = float64(i + 1)
		}
		if low, median, high := harness.Median(sorted); [3]float64{low, median, high} != want {
			t.Errorf("of %d: %v, %v, %v; want %v", n, low, median, high, want)
		}
	}
}
