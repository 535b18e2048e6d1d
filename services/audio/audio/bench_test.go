package audio

import (
	"slices"
	"testing"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// BenchmarkCaptureToListener measures from the moment when the microphone gives a block away until a gRPC client has
// the frame that its end is in.
func BenchmarkCaptureToListener(b *testing.B) {
	for name, format := range map[string]*mediav1.AudioFormat{"S16LE": raw(pcm.S16LE, 0, 0), "opus": nil} {
		b.Run(name, func(b *testing.B) {
			w := start(b, small())
			s := w.listen(&audiov1.StreamAudioRequest{Format: format})
			if _, err := s.Recv(); err != nil {
				b.Fatal(err)
			}
			var took []time.Duration
			for b.Loop() {
				r, err := s.Recv()
				if err != nil {
					b.Fatal(err)
				}
				f := r.GetFrame()
				lasts := pcm.Format{Rate: int(f.GetFormat().GetSampleRateHz()), Channels: 1}.Duration(int64(f.GetSampleCount()))
				took = append(took, time.Since(f.GetCaptureTime().AsTime().Add(lasts)))
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
		})
	}
}
