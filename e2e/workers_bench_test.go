package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// BenchmarkProgramsWorkers compares pystreaming from PyPI with Waldo: frames of one size go to 4 workers, each a
// process in Python, which decode them, and back to a receiver. With pystreaming the JPEG always comes back as well,
// and is decoded again; so Waldo's workers send it, too, except where only their values come back, as one would write
// it. The source of pystreaming encodes one picture of Waldo's camera again and again; that of Waldo is the camera,
// which also paints a new one each time. All take turns:
//
//	fps       results a second from a source that is faster than the workers
//	age       of results at 30 frames a second, from capture to the decoded result
//	disorder  results that came after a later one
func BenchmarkProgramsWorkers(b *testing.B) {
	for _, size := range []struct{ width, height, most int }{{320, 240, 1000}, {640, 480, 500}} {
		b.Run(fmt.Sprintf("%dx%d", size.width, size.height), func(b *testing.B) {
			picture := testCard(b, size.width, size.height)
			defer harness.Noise(b)()
			fps, ages, disorder := map[string]float64{}, map[string][]float64{}, map[string]float64{}
			const rounds = 2
			for range rounds {
				for name, run := range map[string]func(rate int) crew{
					"pystreaming":  func(rate int) crew { return pystreaming(b, picture, rate%size.most) },
					"waldo":        func(rate int) crew { return waldoWorkers(b, size.width, size.height, rate, true) },
					"waldo-values": func(rate int) crew { return waldoWorkers(b, size.width, size.height, rate, false) },
				} {
					m := run(size.most).measure(b)
					fps[name], disorder[name] = fps[name]+m.FPS/rounds, disorder[name]+m.Disorder
					m = run(30).measure(b)
					ages[name], disorder[name] = append(ages[name], m.Ages...), disorder[name]+m.Disorder
				}
			}
			for name := range fps {
				harness.Report(b, name+"-age", "ms", ages[name])
				b.ReportMetric(fps[name], name+"-fps")
				b.ReportMetric(disorder[name], name+"-disorder")
			}
			b.ReportMetric(fps["waldo"]/fps["pystreaming"], "fps-ratio")
			b.ReportMetric(fps["waldo-values"]/fps["pystreaming"], "values-fps-ratio")
			b.ReportMetric(harness.Quantile(ages["waldo"], 0.5)/harness.Quantile(ages["pystreaming"], 0.5), "age-p50-ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// testCard saves a picture of the camera.
func testCard(b *testing.B, width, height int) string {
	b.Helper()
	robot := harness.StartRobot(b, harness.Options{Devices: sizedCamera(width, height, 30)})
	robot.Device(b, "front")
	picture := filepath.Join(b.TempDir(), "picture.jpg")
	robot.Waldo(b, "snapshot", "front", "-o", picture)
	robot.Stop(b)
	return picture
}

func sizedCamera(width, height, fps int) string {
	return fmt.Sprintf("front: {kind: camera, source: test, width: %d, height: %d, fps: %d}", width, height, fps)
}

// crew is a source, its workers, and a receiver.
type crew struct {
	receiver *harness.Puppet
	others   []*harness.Puppet
	robot    *harness.Robot // nil with pystreaming
}

// measured is what a receiver has seen.
type measured struct {
	FPS      float64   `json:"fps"`
	Ages     []float64 `json:"ages"` // ms
	Disorder float64   `json:"disorder"`
}

const (
	workersOfBench  = 4
	settling        = 3 * time.Second
	windowOfWorkers = 10 // s
)

// pystreaming sends as often as it takes a picture if fps is 0.
func pystreaming(b *testing.B, picture string, fps int) crew {
	b.Helper()
	s := spec{"stream": "tcp://" + harness.FreeAddress(b), "drain": "tcp://" + harness.FreeAddress(b), "fps": fps,
		"picture": picture}
	start := func(role string) *harness.Puppet {
		s["role"] = role
		p := harness.StartPuppet(b, python(b), "testdata/pystreaming_puppet.py", s)
		p.Await(b, "ready")
		return p
	}
	c := crew{receiver: start("receiver")}
	for range workersOfBench {
		c.others = append(c.others, start("worker"))
	}
	c.others = append(c.others, start("source"))
	return c
}

func waldoWorkers(b *testing.B, width, height, fps int, pictures bool) crew {
	b.Helper()
	c := crew{robot: harness.StartRobot(b, harness.Options{Devices: sizedCamera(width, height, fps)})}
	c.robot.Device(b, "front")
	start := func(role string) *harness.Puppet {
		p := harness.StartPuppet(b, python(b), "testdata/workers_puppet.py", spec{"role": role, "nats": c.robot.NATS,
			"pictures": pictures})
		p.Await(b, "ready")
		return p
	}
	c.receiver = start("receiver")
	for range workersOfBench {
		c.others = append(c.others, start("worker"))
	}
	return c
}

// measure returns what the receiver sees in a window, once everything has settled, and ends all of the crew.
func (c crew) measure(b *testing.B) (m measured) {
	b.Helper()
	defer c.stop(b)
	time.Sleep(settling)
	c.receiver.Order(b, spec{"measure": windowOfWorkers})
	if err := json.Unmarshal([]byte(c.receiver.Await(b, "measured")), &m); err != nil {
		b.Fatal(err)
	}
	return m
}

func (c crew) stop(b *testing.B) {
	b.Helper()
	for _, p := range append(c.others, c.receiver) {
		p.Stop(b)
	}
	if c.robot != nil {
		c.robot.Stop(b)
	}
}
