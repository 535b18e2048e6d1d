package e2e

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/drive"
)

// BenchmarkBlindStopOfThePage stops the camera 50 times while somebody drives at full speed in Chromium, and measures
// on the wire: how long after the picture that the page showed last was 800 ms old nothing moved any more.
func BenchmarkBlindStopOfThePage(b *testing.B) {
	r := &ride{tb: b, wire: harness.StartWire(b)}
	r.robot = harness.StartRobot(b, harness.Options{Devices: frontCard + "\n" + r.wire.Device(), Drive: usualSight})
	r.url = r.robot.URL
	pid := r.robot.Device(b, "front").PID
	r.robot.Device(b, "motors")
	r.browser = harness.StartBrowser(b)
	r.open()
	r.page.Tile(b, "front").WaitFrames(b, 30)
	defer harness.Noise(b)()
	var took []float64
	for len(took) < 50 {
		r.goFull(b, byKey)
		resume := harness.Freeze(b, pid)
		stopped := r.wire.AwaitStill(b, time.Now(), outlast)
		shown := harness.Eval[float64](b, r.page, "waldo.drive.seenMs")
		threshold := time.UnixMicro(int64(shown * 1000)).Add(drive.DefaultStop)
		took = append(took, milliseconds(stopped.Sub(threshold)))
		resume()
	}
	harness.Report(b, "stop", "ms", took)
	b.ReportMetric(0, "ns/op")
}

// usualSight is the section `drive:` of a robot whose driver must see the camera, with the usual ages.
const usualSight = `{device: motors, see: front, keys: {left: {forward: 200, turn: 60}, right: {forward: 200, turn: -60}}}`
