package viewer

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/window"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/xvfb"
	"github.com/waldo-robot/waldo/pkg/media"
)

// card is a picture whose corners are red, green, blue and white, and the rest is a wave of grey.
func card(width, height int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			grey := byte(x*x/97 + y*y/53)
			c := color.RGBA{grey, grey, grey, 255}
			switch top, left := y < height/4, x < width/4; {
			case top && left:
				c = color.RGBA{255, 0, 0, 255}
			case top && x >= width*3/4:
				c = color.RGBA{0, 255, 0, 255}
			case y >= height*3/4 && left:
				c = color.RGBA{0, 0, 255, 255}
			case y >= height*3/4 && x >= width*3/4:
				c = color.RGBA{255, 255, 255, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func jpegOf(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// at is a color of a picture.
func at(p *window.Picture, x, y int) color.RGBA {
	i := 4 * (y*p.Width + x)
	return color.RGBA{p.Pix[i+2], p.Pix[i+1], p.Pix[i], 255}
}

// TestPaint: raw pictures and JPEG are shown in their shape, in windows of every shape, with black around them.
func TestPaint(t *testing.T) {
	img := card(160, 120)
	raw := make([]byte, 0, 3*160*120)
	for i := 0; i < len(img.Pix); i += 4 {
		raw = append(raw, img.Pix[i+2], img.Pix[i+1], img.Pix[i])
	}
	frames := map[string]*mediav1.VideoFrame{
		"raw": {
			Data:   raw,
			Format: &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24, WidthPx: 160, HeightPx: 120},
		},
		"JPEG": {Data: jpegOf(t, img), Format: &mediav1.VideoFormat{MediaType: media.JPEG}},
	}
	for name, f := range frames {
		var decoded *image.RGBA
		for _, size := range []image.Point{{160, 120}, {320, 240}, {80, 60}, {300, 120}, {160, 300}, {1, 1}, {7, 500}} {
			var err error
			if decoded, err = decode(f, decoded); err != nil {
				t.Fatal(err)
			}
			on := window.NewPicture(size.X, size.Y)
			for i := range on.Pix {
				on.Pix[i] = 77 // of the picture before
			}
			paint(on, decoded)
			w, h := fit(160, 120, size.X, size.Y)
			x, y := (size.X-w)/2, (size.Y-h)/2
			if min(w, h) < 20 {
				continue
			}
			for place, want := range map[image.Point]color.RGBA{
				{x + w/10, y + h/10}: {R: 255}, {x + w*9/10, y + h/10}: {G: 255}, {x + w/10, y + h*9/10}: {B: 255},
				{x + w*9/10, y + h*9/10}: {255, 255, 255, 255},
			} {
				if got := at(on, place.X, place.Y); !xvfb.Close(got, want) {
					t.Errorf("%s in %v: at %v is %v, want %v", name, size, place, got, want)
				}
			}
			for _, outside := range []image.Point{
				{x - 1, size.Y / 2}, {x + w, size.Y / 2}, {size.X / 2, y - 1}, {size.X / 2, y + h},
			} {
				if outside.In(image.Rect(0, 0, size.X, size.Y)) && at(on, outside.X, outside.Y) != (color.RGBA{A: 255}) {
					t.Errorf("%s in %v: at %v is %v, want black", name, size, outside, at(on, outside.X, outside.Y))
				}
			}
		}
	}
}

func TestPicturesThatCannotBeShown(t *testing.T) {
	raw := func(pixels string, bytes int) *mediav1.VideoFrame {
		format := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: pixels, WidthPx: 2, HeightPx: 2}
		return &mediav1.VideoFrame{Format: format, Data: make([]byte, bytes)}
	}
	for name, f := range map[string]*mediav1.VideoFrame{
		"nothing":      {},
		"H.264":        {Format: &mediav1.VideoFormat{MediaType: media.H264}, Data: []byte{0, 0, 1}},
		"no JPEG":      {Format: &mediav1.VideoFormat{MediaType: media.JPEG}, Data: []byte("\xff\xd8\xff")},
		"half a JPEG":  {Format: &mediav1.VideoFormat{MediaType: media.JPEG}, Data: jpegOf(t, card(160, 120))[:400]},
		"other pixels": raw(media.PixelI420, 6),
		"too short":    raw(media.PixelBGR24, 11),
		"no size":      {Format: &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24}},
	} {
		if img, err := decode(f, nil); err == nil {
			t.Errorf("%s is a picture of %v", name, img.Rect)
		}
	}
}

// FuzzDecode: whatever a device sends is shown or refused.
func FuzzDecode(f *testing.F) {
	f.Add(true, jpegOf(f, card(16, 12)), int32(0), int32(0))
	f.Add(false, make([]byte, 12), int32(2), int32(2))
	f.Add(false, []byte{}, int32(-1), int32(1<<30))
	f.Fuzz(func(t *testing.T, compressed bool, data []byte, width, height int32) {
		format := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24, WidthPx: width, HeightPx: height}
		if compressed {
			format = &mediav1.VideoFormat{MediaType: media.JPEG}
			if c, err := jpeg.DecodeConfig(bytes.NewReader(data)); err == nil && c.Width*c.Height > 1<<20 {
				return // as large as it may be, and slow
			}
		}
		img, err := decode(&mediav1.VideoFrame{Format: format, Data: data}, nil)
		if err == nil {
			paint(window.NewPicture(33, 21), img)
		}
	})
}
