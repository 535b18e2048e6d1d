package capture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// babble is 20 ms of noise, which is more work to encode than a tone.
func babble(f pcm.Format) []float32 {
	samples := make([]float32, f.Frames(20*time.Millisecond)*f.Channels)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range samples {
		samples[i] = 0.5*random.Float32() - 0.25
	}
	return samples
}

// BenchmarkMake converts and encodes 20 ms for one format, and says how much of a core that takes.
func BenchmarkMake(b *testing.B) {
	for name, format := range map[string]*mediav1.AudioFormat{
		"opus":           nil,
		"opus stereo":    {Channels: 2},
		"S16LE":          {MediaType: pcm.Raw},
		"S16LE 16000 Hz": {MediaType: pcm.Raw, SampleRateHz: 16000},
	} {
		b.Run(name, func(b *testing.B) {
			p := New(Config{Format: standard})
			k, err := p.resolve(format, 0)
			if err != nil {
				b.Fatal(err)
			}
			v, err := p.newVariant(k) // it is driven by hand
			if err != nil {
				b.Fatal(err)
			}
			defer v.Close()
			samples := babble(standard)
			for n := int64(0); b.Loop(); n += 960 {
				if err := v.take(&block{samples: samples, at: time.Now(), index: n}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(100*float64(b.Elapsed())/float64(b.N)/float64(20*time.Millisecond), "%core")
		})
	}
}

// BenchmarkListeners captures 20 ms and waits until all have heard it; "encodes" are those for each 20 ms.
func BenchmarkListeners(b *testing.B) {
	for _, listeners := range []int{1, 10} {
		b.Run(fmt.Sprint(listeners), func(b *testing.B) {
			registry := prometheus.NewRegistry()
			p := New(Config{Format: standard, Tap: "microphone", Metrics: NewMetrics(registry)})
			ctx, cancel := context.WithCancel(b.Context())
			mic, ended := newHand(), make(chan error, 1)
			go func() { ended <- p.Run(ctx, mic) }()
			var readers []*Reader
			for range listeners {
				r, err := p.Open(nil, 0)
				if err != nil {
					b.Fatal(err)
				}
				readers = append(readers, r)
			}
			samples := babble(standard)
			for b.Loop() {
				mic.blocks <- samples
				for _, r := range readers {
					if _, err := r.Next(ctx); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(value(b, registry, "waldo_audio_frames_total", pcm.Opus, "microphone")/float64(b.N), "encodes")
			for _, r := range readers {
				r.Close()
			}
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
			p.Close()
		})
	}
}
