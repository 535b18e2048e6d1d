package microphone

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// BenchmarkHear decodes and converts 20 ms, and says how much of a core that takes.
func BenchmarkHear(b *testing.B) {
	for name, sound := range map[string]feed.Sound{
		"PCMA 8000 Hz": blocks(feed.PCMA, fakecam.Tone(fakecam.PCMA, 8000), 20*time.Millisecond)[0],
		"L16 48000 Hz": blocks(feed.L16, fakecam.Tone(fakecam.L16, 48000), 20*time.Millisecond)[0],
		"Opus":         blocks(feed.Opus, fakecam.Clip("tone.opus"), 20*time.Millisecond)[0],
	} {
		b.Run(name, func(b *testing.B) {
			e, err := newEar(encoding{sound.Track.MediaType, sound.Track.SampleRate, sound.Track.Channels, ""}, mono)
			if err != nil {
				b.Fatal(err)
			}
			defer e.close()
			one := block{Sound: sound, at: time.Now()}
			for b.Loop() {
				if err := e.hear(one, func([]float32, time.Time) {}); err != nil {
					b.Fatal(err)
				}
				one.Time += 20 * time.Millisecond
				one.at = one.at.Add(20 * time.Millisecond)
			}
			b.ReportMetric(100*float64(b.Elapsed())/float64(b.N)/float64(20*time.Millisecond), "%core")
		})
	}
}
