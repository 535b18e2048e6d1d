package microphone

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Whatever a camera sends, what is heard are clean samples, and not much more than was sent.
func FuzzSound(f *testing.F) {
	types := []string{feed.Opus, feed.AAC, feed.PCMA, feed.PCMU, feed.L16, feed.G726, "audio/G729"}
	for i := range types {
		f.Add(uint8(i), 8000, uint8(1), int64(20), []byte("some sound"))
		f.Add(uint8(i), 48000, uint8(2), int64(-1), fakecam.Clip("tone.opus").Units[0].Data[0])
		f.Add(uint8(i), 16000, uint8(1), int64(64e6), fakecam.Clip("tone.aac").Units[0].Data[0])
	}
	configs := map[string]string{feed.AAC: "\x14\x08", feed.G726: "G726-32"}
	f.Fuzz(func(t *testing.T, mediaType uint8, rate int, channels uint8, stamp int64, data []byte) {
		what := types[int(mediaType)%len(types)]
		e := encoding{what, rate, max(int(channels), 1), configs[what]}
		if e.check() != nil || len(data) > maxBlock {
			t.Skip()
		}
		one, err := newEar(e, mono)
		if err != nil {
			t.Fatalf("%v passed the check: %v", e, err)
		}
		defer one.close()
		heard, limit := 0, 3*(2*6*len(data)+longestPacket+mono.Rate/4)
		for i := range 3 {
			b := block{Sound: feed.Sound{Data: data, Time: time.Duration(int64(i) * stamp), Lost: i}, encoding: e,
				at: time.Unix(0, stamp/2*int64(i))}
			_ = one.hear(b, func(samples []float32, _ time.Time) { // broken sound is an error
				heard += len(samples)
				for _, s := range samples {
					if !(s >= -1 && s <= 1) {
						t.Fatalf("a sample is %v", s)
					}
				}
			})
		}
		if heard > limit {
			t.Errorf("%d samples of 3 times %d bytes", heard, len(data))
		}
	})
}
