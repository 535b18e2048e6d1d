package access_test

import (
	"math/bits"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
)

// TestNewID: positive, never twice, and random in all of its bits.
func TestNewID(t *testing.T) {
	const n = 10_000
	seen := make(map[int64]bool, n)
	ones := 0
	for range n {
		id := access.NewID()
		if id <= 0 || seen[id] {
			t.Fatalf("got %d, seen before: %v", id, seen[id])
		}
		seen[id] = true
		ones += bits.OnesCount64(uint64(id))
	}
	if mean := float64(ones) / n; mean < 30 || mean > 32 {
		t.Errorf("%.1f bits are set on average, want 31 of 62", mean)
	}
}
