package e2e

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// BenchmarkFirstPictureRelayed measures from a WHEP player's POST to the first picture, through a rendezvous server and its
// relay, which are 20 ms away from player and robot, each way. docs/rendezvous.md counts the round trips.
func BenchmarkFirstPictureRelayed(b *testing.B) {
	const delay = 20 * time.Millisecond
	n := internet.Start(b, internet.Config{Delay: delay})
	player, url := startPlayer(b, n)
	player.AwaitStream(b, url)
	var took []float64
	for range 30 {
		first, _ := player.First(b, url, 5000)
		took = append(took, first)
	}
	harness.Report(b, "first", "ms", took)
	b.ReportMetric(harness.Quantile(took, 0.5)/milliseconds(2*delay), "first-p50-round-trips")
	b.ReportMetric(0, "ns/op")
}
