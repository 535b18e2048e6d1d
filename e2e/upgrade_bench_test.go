package e2e

import (
	"fmt"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/ptytest"
)

// BenchmarkUpgrade has the process of a camera replaced again and again while a page watches, and measures the longest
// pause between two pictures from the command to half a second after its end, beside the longest in as long a time
// before.
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
			for range 50 {
				since := page.Now(b)
				begin := time.Now()
				robot.Waldo(b, "upgrade", "front")
				took = append(took, time.Since(begin).Seconds())
				time.Sleep(500 * time.Millisecond) // for what the end of the old process does to the machine
				until := page.Now(b)
				captured = append(captured, 1000*f.change(b).Seconds()/frame)
				shown = append(shown, rest(front.Frames(b), since).longest/frame)
				time.Sleep(time.Duration(until-since) * time.Millisecond) // nothing is replaced
				usual = append(usual, rest(front.Frames(b), until).longest/frame)
			}
			harness.Report(b, "shown", "frames", shown)
			harness.Report(b, "usual", "frames", usual)
			harness.Report(b, "captured", "frames", captured)
			harness.Report(b, "took", "s", took)
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkUpgradeAlone replaces the process of a device whose hardware is open only once, and measures for how long
// nothing comes from it: a sound card of which somebody hears the microphone, and a board on a serial line that reports
// every 10 ms.
func BenchmarkUpgradeAlone(b *testing.B) {
	b.Run("audio", func(b *testing.B) {
		robot := harness.StartRobot(b, harness.Options{Devices: "front: {kind: audio, source: tone, speaker: none}"})
		missing(b, robot, followStream[*mediav1.AudioFrame](b, robot, "audio"))
	})
	b.Run("serial", func(b *testing.B) {
		board := ptytest.New(b)
		robot := harness.StartRobot(b, harness.Options{Devices: fmt.Sprintf("front: {kind: serial, port: %q}", board.Path)})
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-tick.C:
					board.Say(b, "a report\n")
				case <-stop:
					return
				}
			}
		}()
		missing(b, robot, followStream[*serialv1.SerialMessage](b, robot, "rx"))
		close(stop)
		<-stopped
	})
}

// missing replaces the process of the device front, and reports how long nothing was captured or read.
func missing[M timed](b *testing.B, robot *harness.Robot, f *follower[M]) {
	b.Helper()
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
