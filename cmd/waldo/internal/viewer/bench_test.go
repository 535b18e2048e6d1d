package viewer

import (
	"image"
	"testing"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/window"
	"github.com/waldo-robot/waldo/pkg/media"
)

// BenchmarkPicture measures what a picture of 1280x720 costs before it is shown: raw, JPEG, and JPEG in a window of
// another size.
func BenchmarkPicture(b *testing.B) {
	raw := &mediav1.VideoFrame{Data: make([]byte, 3*1280*720),
		Format: &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24, WidthPx: 1280, HeightPx: 720}}
	compressed := &mediav1.VideoFrame{
		Data:   jpegOf(b, card(1280, 720)),
		Format: &mediav1.VideoFormat{MediaType: media.JPEG},
	}
	for _, bb := range []struct {
		name          string
		frame         *mediav1.VideoFrame
		width, height int
	}{
		{"raw", raw, 1280, 720}, {"jpeg", compressed, 1280, 720}, {"jpeg smaller", compressed, 640, 360},
		{"jpeg larger", compressed, 1600, 900},
	} {
		b.Run(bb.name, func(b *testing.B) {
			on := window.NewPicture(bb.width, bb.height)
			var img *image.RGBA
			for b.Loop() {
				var err error
				if img, err = decode(bb.frame, img); err != nil {
					b.Fatal(err)
				}
				paint(on, img)
			}
		})
	}
}
