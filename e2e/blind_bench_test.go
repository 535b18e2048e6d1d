package e2e

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/drive"
)

// BenchmarkBlindStop stops the camera 100 times while a program drives at full speed, and measures on the wire: how long
// after the picture that its driver saw last was 800 ms old the first zero came, after which nothing moved. Whole
// numbers are rounded towards standing still, so that can be a little before.
func BenchmarkBlindStop(b *testing.B) {
	s := startLookout(b, "")
	pid := s.robot.Device(b, "front").PID
	defer harness.Noise(b)()
	var took []float64
	for len(took) < 100 {
		s.await(b)
		time.Sleep(rand.N(100 * time.Millisecond))
		resume := harness.Freeze(b, pid)
		begun := time.Now()
		stopped := s.wire.AwaitStill(b, begun, outlast)
		s.awaitBlind(b)
		seen, _ := s.last()
		took = append(took, milliseconds(stopped.Sub(seen.Add(drive.DefaultStop))))
		resume()
	}
	harness.Report(b, "stop", "ms", took)
	b.ReportMetric(s.robot.Metric(b, s.robot.Device(b, "motors"), "waldo_control_stops_total", `cause="blind"`), "blind-stops")
	b.ReportMetric(0, "ns/op")
}
