package standard

import (
	"fmt"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/codectest"
)

// BenchmarkNewTarget changes the bit rate of an encoder from 2 Mbit/s, without anything that keeps it to that: how many
// frames pass until eight of them have at most a tenth more, what the rate is afterwards, and how many mean frames a
// key frame has.
func BenchmarkNewTarget(b *testing.B) {
	for _, mediaType := range []string{media.H264, media.VP8} {
		for _, size := range [][2]int{{1280, 720}, {640, 360}} {
			for _, target := range []int{1_000_000, 500_000, 300_000} {
				b.Run(fmt.Sprintf("%s/%dp/%dk", media.Name(mediaType), size[1], target/1000), func(b *testing.B) {
					for b.Loop() {
						benchTarget(b, mediaType, size[0], size[1], target)
					}
				})
			}
		}
	}
}

func benchTarget(b *testing.B, mediaType string, width, height, target int) {
	e, err := Codecs().NewEncoder(&mediav1.VideoFormat{MediaType: mediaType, WidthPx: int32(width),
		HeightPx: int32(height), FrameRateHz: 30}, codec.Options{Bitrate: 2_000_000})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }() // frees memory only
	scene := codectest.NewScene(width, height, 2.5)
	const before, settling, measured, keyAt = 60, 90, 150, 90 + 75
	var bits []float64 // from the change on
	key := 0.0
	for n := range before + settling + measured {
		if n == before {
			if err := e.(codec.BitrateSetter).SetBitrate(target); err != nil {
				b.Fatal(err)
			}
		}
		wanted := n-before == keyAt
		p, err := e.Encode(scene.Picture(n), wanted, time.Unix(0, 0).Add(time.Duration(n)*time.Second/30))
		if err != nil {
			b.Fatal(err)
		}
		if n >= before {
			bits = append(bits, float64(8*len(p.Data)))
		}
		if wanted {
			key = float64(8*len(p.Data)) / (float64(target) / 30)
		}
	}
	mean := func(bits []float64) (sum float64) {
		for _, one := range bits {
			sum += one / float64(len(bits))
		}
		return sum * 30 / float64(target)
	}
	follows := 0
	for follows+8 < settling && mean(bits[follows:follows+8]) > 1.1 {
		follows++
	}
	b.ReportMetric(float64(follows), "frames")
	b.ReportMetric(mean(bits[:30]), "first-second/target")
	b.ReportMetric(mean(bits[settling:]), "later/target")
	b.ReportMetric(key, "key/mean")
}
