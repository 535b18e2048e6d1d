package e2e

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/drive"
)

// BenchmarkReaction is the same with a limit: how far the motors were commanded to go, on the wire, from the capture of
// the picture that their driver saw last until they stood still. Without the limit that is 0.8 m and more.
func BenchmarkReaction(b *testing.B) {
	s := startLookout(b, ", limit: {reaction: 0.3m, speed: 1.5m/s}")
	pid := s.robot.Device(b, "front").PID
	var went []float64
	for len(went) < 50 {
		s.wire.AwaitMotion(b, time.Now(), "it moves", moves)
		time.Sleep(time.Second + rand.N(100*time.Millisecond)) // until its speed is steady
		resume := harness.Freeze(b, pid)
		stopped := s.wire.AwaitStill(b, time.Now(), outlast)
		s.awaitBlind(b)
		seen, _ := s.last()
		went = append(went, s.way(seen, stopped))
		resume()
	}
	harness.Report(b, "way", "m", went)
	b.ReportMetric(0, "ns/op")
}

// way is how far the motors were commanded to go between two moments, in m.
func (s *lookout) way(from, to time.Time) (way float64) {
	at, speed := from, 0.0
	for _, m := range s.wire.Motions(from.Add(-time.Second)) {
		if m.At.After(to) {
			break
		}
		if m.At.After(from) {
			way += speed * m.At.Sub(at).Seconds()
			at = m.At
		}
		speed = 1.5 * float64(m.Left) / 200
	}
	return way + speed*to.Sub(at).Seconds()
}

// BenchmarkBlindStop stops the camera 100 times while a program drives at full speed, and measures on the wire: how
// long after the picture that its driver saw last was 800 ms old the first zero came, after which nothing moved. Whole
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
	b.ReportMetric(s.robot.Metric(b, s.robot.Device(b, "motors"), "waldo_control_stops_total", `cause="blind"`),
		"blind-stops")
	b.ReportMetric(0, "ns/op")
}
