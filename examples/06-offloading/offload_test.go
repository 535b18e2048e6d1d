package main

import (
	"math"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// picture is dark, but for a light column.
func picture(width, height, light int) *mediav1.VideoFrame {
	img := media.NewI420(width, height)
	for y := range height {
		img.Y[y*width+light] = 200
	}
	return &mediav1.VideoFrame{Data: img.Packed(), Format: &mediav1.VideoFormat{MediaType: media.Raw,
		PixelFormat: media.PixelI420, WidthPx: int32(width), HeightPx: int32(height)}}
}

func TestLightest(t *testing.T) {
	for _, tt := range []struct {
		width, light int
		want         float64
	}{{320, 0, -0.94}, {320, 319, 0.94}, {320, 165, 0.06}, {30, 29, 0.94}, {2, 0, -0.94}} {
		p := picture(tt.width, 10, tt.light)
		at := lightest(p)
		if math.Abs(at-tt.want) > 0.01 {
			t.Errorf("light at %d of %d: %.2f, want %.2f", tt.light, tt.width, at, tt.want)
		}
		mark(p, at)
	}
}

// TestWheel: it turns while pictures come.
func TestWheel(t *testing.T) {
	var w wheel
	now := time.Now()
	if got := w.command(now); got != `{"left": 0, "right": 0}` {
		t.Errorf("at first: %s", got)
	}
	w.turn(0.5, nil)
	if got := w.command(now); got != `{"left": 30, "right": -30}` {
		t.Errorf("to the right: %s", got)
	}
	if got := w.command(now.Add(time.Second)); got != `{"left": 0, "right": 0}` {
		t.Errorf("without new pictures: %s", got)
	}
}
