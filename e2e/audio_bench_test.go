package e2e

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/tonetest"
)

// beeps are spaced so that no delay can be mistaken for another.
const beepEvery = 500 * time.Millisecond

// BenchmarkEar measures from the callback of the robot's microphone to where sound leaves Chromium, and from where
// sound enters Chromium to the callback of the robot's speaker, with beeps that are detected at both ends.
func BenchmarkEar(b *testing.B) {
	file := harness.WriteWAV(b, harness.Beeps(1000, beepEvery, 20))
	robot := harness.StartRobot(b,
		harness.Options{Devices: fmt.Sprintf(`voice: {kind: audio, source: %q, speaker: "null"}`, file)})
	device := robot.Device(b, "voice")
	page := harness.StartBrowser(b, harness.WithMicrophone(file)).Open(b, robot.URL)
	b.Run("robot to Chromium", func(b *testing.B) {
		listen(b, page, "voice")
		beeps(b, harness.HearRobot(b, device, audiov1.AudioTap_AUDIO_TAP_MICROPHONE), page.Hear(b, "listening.track"))
	})
	b.Run("Chromium to robot", func(b *testing.B) {
		talk(b, page, "voice")
		beeps(b, page.Hear(b, "mic"), harness.HearRobot(b, device, audiov1.AudioTap_AUDIO_TAP_SPEAKER))
	})
}

// beeps measures how much later beeps are heard at one end than at the other.
func beeps(b *testing.B, from, to ear) {
	b.Helper()
	defer harness.Noise(b)()
	const count = 100
	var took []float64
	began := time.Now()
	for range count {
		harness.Until(b, "a beep", func() error {
			for _, said := range from.Heard(b).Newest(2 * time.Second).Beginnings() {
				if !said.After(began) {
					continue
				}
				for _, heard := range to.Heard(b).Newest(2 * time.Second).Beginnings() {
					if d := heard.Sub(said); d > 0 && d < beepEvery {
						took, began = append(took, milliseconds(d)), said
						return nil
					}
				}
			}
			return errors.New("not heard")
		})
	}
	harness.Report(b, "delay", "ms", took)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAudioRecovery kills the audio process 100 times, and measures until Chromium's sound is as loud as before
// and stays so: Chromium conceals missing sound, fading it out.
func BenchmarkAudioRecovery(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{Devices: voice})
	page := harness.StartBrowser(b).Open(b, robot.URL)
	listen(b, page, "voice")
	hears := page.Hear(b, "listening.track")
	var sound []float64
	for range 100 {
		mustBe(b, hears, hz, exact, 400*time.Millisecond)
		device := robot.Device(b, "voice")
		killed := time.Now()
		harness.Crash(b, device.PID)
		harness.Until(b, "sound again", func() error {
			last := tonetest.Of(hears.Heard(b).Last(time.Second), harness.EarRate)
			if time.Since(killed) < 2*time.Second || last.Pure < 0.99 || len(last.Gaps) > 0 {
				return fmt.Errorf("heard %+v", last)
			}
			return nil
		})
		const usual = 0.25 / math.Sqrt2
		sound = append(sound, milliseconds(hears.Heard(b).Newest(5*time.Second).FullSince(killed, 0.9*usual).Sub(killed)))
	}
	harness.Report(b, "sound", "ms", sound)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAudioCost measures what the audio process does for 1 and for 10 listeners in Go, and for one listener and a
// page that listens and talks: processor time, and packets encoded per 20 ms.
func BenchmarkAudioCost(b *testing.B) {
	for _, with := range []struct {
		name      string
		listeners int
		page      bool
	}{{"1 listener", 1, false}, {"10 listeners", 10, false}, {"1 listener, and a page that listens and talks", 1, true}} {
		b.Run(with.name, func(b *testing.B) {
			robot := harness.StartRobot(b, harness.Options{Devices: voice})
			device := robot.Device(b, "voice")
			packets := harness.CountPackets(b, device)
			for range with.listeners - 1 {
				harness.CountPackets(b, device)
			}
			if with.page {
				microphone := harness.WriteWAV(b, harness.Sine(1000, 0.25, time.Minute))
				page := harness.StartBrowser(b, harness.WithMicrophone(microphone)).Open(b, robot.URL)
				listen(b, page, "voice")
				talk(b, page, "voice")
			}
			const seconds = 20
			wait(b, packets, 50)
			cpu, encoded := harness.CPU(b, device.PID), robot.Metric(b, device, "waldo_audio_frames_total", `tap="microphone"`)
			wait(b, packets, seconds*50)
			b.ReportMetric(100*(harness.CPU(b, device.PID)-cpu).Seconds()/seconds, "cpu-%")
			b.ReportMetric((robot.Metric(b, device, "waldo_audio_frames_total", `tap="microphone"`)-encoded)/(seconds*50),
				"encodes/packet")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// wait waits until a listener has received that many more packets.
func wait(b *testing.B, packets func() int64, more int64) {
	b.Helper()
	before := packets()
	harness.Until(b, "packets", func() error {
		if n := packets() - before; n < more {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
}
