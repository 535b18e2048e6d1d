package e2e

import (
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
)

// BenchmarkUpgrade has the process of a camera replaced again and again while a page watches, and measures the longest
// pause between two pictures around each time, beside the longest pause in as long a time without.
//
//	shown       in Chromium, in frame times
//	usual       the same while nothing is replaced
//	captured    between the captures of the last picture of the one and the first of the other process, in frame times
//	took        from the command to its end, in s
func BenchmarkUpgrade(b *testing.B) {
	cameras := upgradable(b)
	for _, name := range []string{"simulated", "file", "network"} {
		b.Run(name, func(b *testing.B) {
			robot := harness.StartRobot(b, harness.Options{Devices: cameras[name]})
			page := harness.StartBrowser(b).Open(b, robot.URL)
			front := page.Tile(b, "front")
			front.WaitFrames(b, 60)
			frame := rest(front.Frames(b), 0).usual
			defer harness.Noise(b)()
			var shown, usual, captured, took []float64
			f := follow(b, robot)
			f.next(b)
			for range 30 {
				front.WaitFrames(b, 45)
				since := page.Now(b)
				usual = append(usual, rest(front.Frames(b), since-1500).longest/frame)
				begin := time.Now()
				robot.Waldo(b, "upgrade", "front")
				took = append(took, time.Since(begin).Seconds())
				captured = append(captured, 1000*f.change(b).Seconds()/frame)
				front.WaitFrames(b, 30)
				shown = append(shown, rest(front.Frames(b), since).longest/frame)
			}
			harness.Report(b, "shown", "frames", shown)
			harness.Report(b, "usual", "frames", usual)
			harness.Report(b, "captured", "frames", captured)
			harness.Report(b, "took", "s", took)
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkUpgradeAlone replaces the process of a device whose hardware is open only once, a sound card of which somebody
// hears the microphone: how much sound is missing.
func BenchmarkUpgradeAlone(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{Devices: "front: {kind: audio, source: tone, speaker: none}"})
	f := followStream[*mediav1.AudioFrame](b, robot, "audio")
	defer harness.Noise(b)()
	f.next(b)
	var missing []float64
	for range 30 {
		robot.Device(b, "front")
		robot.Waldo(b, "upgrade", "front")
		missing = append(missing, f.change(b).Seconds()*1000)
	}
	harness.Report(b, "missing", "ms", missing)
	b.ReportMetric(0, "ns/op")
}

// rests are those between pictures, in ms.
type rests struct{ usual, longest float64 }

// rest looks at the pictures since a time.
func rest(shown []float64, since float64) (p rests) {
	n := 0
	for i := 1; i < len(shown); i++ {
		if d := shown[i] - shown[i-1]; shown[i] >= since {
			p.longest, p.usual = max(p.longest, d), p.usual+d
			n++
		}
	}
	p.usual /= float64(max(n, 1))
	return p
}
