package e2e

import (
	"encoding/json"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// BenchmarkProgramsPython measures how long `from waldo import Robot` takes in a fresh process, and then the time from
// Robot(), which does not know yet where the bus is, to the first raw picture of 1280x720. Nobody else reads the
// camera, so it has to start first.
func BenchmarkProgramsPython(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{
		Devices: `front: {kind: camera, source: test, width: 1280, height: 720, fps: 30}`,
	})
	robot.Device(b, "front")
	var imports, firsts []float64
	stop := harness.Noise(b)
	for range short(30, 5) {
		out := harness.Run(b, nil, python(b), "testdata/first_frame.py", robot.NATS)
		var took struct{ Import, First float64 }
		if err := json.Unmarshal([]byte(out), &took); err != nil {
			b.Fatalf("%v in %q", err, out)
		}
		imports, firsts = append(imports, took.Import), append(firsts, took.First)
	}
	stop()
	harness.Report(b, "import", "ms", imports)
	harness.Report(b, "first", "ms", firsts)
	b.ReportMetric(0, "ns/op")
}
