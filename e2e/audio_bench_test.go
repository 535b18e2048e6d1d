package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/services/audio/tonetest"
)

// beeps come so often that no delay can be taken for another.
const beepEvery = 500 * time.Millisecond

// BenchmarkEar measures from the callback of the robot's microphone to the sound's way out of Chromium, and from the sound's way into Chromium to the
// callback of the robot's speaker, by beeps that are noticed at both ends.
func BenchmarkEar(b *testing.B) {
	file := harness.WriteWAV(b, harness.Beeps(1000, beepEvery, 20))
	robot := harness.StartRobot(b, harness.Options{Devices: fmt.Sprintf(`voice: {kind: audio, source: %q, speaker: "null"}`, file)})
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
			return errors.New("it is not heard")
		})
	}
	harness.Report(b, "delay", "ms", took)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAudioRecovery kills the audio process 30 times, and measures until Chromium hears it again, as loud as before and for good.
func BenchmarkAudioRecovery(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{Devices: voice})
	page := harness.StartBrowser(b).Open(b, robot.URL)
	listen(b, page, "voice")
	hears := page.Hear(b, "listening.track")
	var took []float64
	for range 30 {
		tone(b, hears, 200*time.Millisecond)
		killed := time.Now()
		harness.Crash(b, robot.Device(b, "voice").PID)
		var back time.Time
		harness.Until(b, "sound again", func() error {
			h := hears.Heard(b)
			last := tonetest.Of(h.Last(time.Second), harness.EarRate)
			if time.Since(killed) < 2*time.Second || last.Pure < 0.99 || len(last.Gaps) > 0 {
				return fmt.Errorf("heard %+v", last)
			}
			back = h.Newest(5 * time.Second).FullSince(killed)
			return nil
		})
		took = append(took, milliseconds(back.Sub(killed)))
	}
	harness.Report(b, "sound", "ms", took)
	b.ReportMetric(0, "ns/op")
}
