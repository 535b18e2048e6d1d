package viewer

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"

	scale "golang.org/x/image/draw"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/window"
	"github.com/waldo-robot/waldo/pkg/media"
)

// decode returns the pixels of a frame in the order of a [window.Picture]: B where an image.RGBA has R. It uses the
// memory of an image that is not needed any more, if that has the size.
func decode(f *mediav1.VideoFrame, reuse *image.RGBA) (*image.RGBA, error) {
	switch format := f.GetFormat(); {
	case format.GetMediaType() == media.Raw && format.GetPixelFormat() == media.PixelBGR24:
		if size := media.FrameSize(format); size == 0 || len(f.GetData()) != size {
			return nil, fmt.Errorf("a raw picture of %dx%d has %d bytes", format.GetWidthPx(), format.GetHeightPx(),
				len(f.GetData()))
		}
		img := canvas(reuse, int(format.GetWidthPx()), int(format.GetHeightPx()))
		spread(img.Pix, f.GetData())
		return img, nil
	case format.GetMediaType() == media.JPEG:
		return decodeJPEG(f.GetData(), reuse)
	default:
		return nil, fmt.Errorf("pictures of the type %q cannot be shown", format.GetMediaType())
	}
}

func decodeJPEG(data []byte, reuse *image.RGBA) (*image.RGBA, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if c.Width > media.MaxSize || c.Height > media.MaxSize {
		return nil, fmt.Errorf("a picture of %dx%d is too large", c.Width, c.Height)
	}
	decoded, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	img := canvas(reuse, c.Width, c.Height)
	draw.Draw(img, img.Rect, decoded, decoded.Bounds().Min, draw.Src)
	for i := 0; i+4 <= len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+2] = img.Pix[i+2], img.Pix[i]
	}
	return img, nil
}

// canvas returns an image of a size.
func canvas(reuse *image.RGBA, width, height int) *image.RGBA {
	if reuse != nil && reuse.Rect.Dx() == width && reuse.Rect.Dy() == height {
		return reuse
	}
	return image.NewRGBA(image.Rect(0, 0, width, height))
}

// spread turns pixels of three bytes into ones of four.
func spread(to, from []byte) {
	for len(from) >= 3 && len(to) >= 4 {
		d, s := to[:4:4], from[:3:3]
		d[0], d[1], d[2], d[3] = s[0], s[1], s[2], 0xff
		to, from = to[4:], from[3:]
	}
}

// fit is the largest size in the shape of a picture that fits into a window.
func fit(width, height, intoWidth, intoHeight int) (w, h int) {
	if width <= 0 || height <= 0 {
		return 0, 0
	}
	if width*intoHeight > height*intoWidth { // wider than the window
		return intoWidth, max(1, (height*intoWidth+width/2)/width)
	}
	return max(1, (width*intoHeight+height/2)/height), intoHeight
}

// paint draws an image into the middle of a picture, as large as it fits, with black around it.
func paint(on *window.Picture, img *image.RGBA) {
	w, h := fit(img.Rect.Dx(), img.Rect.Dy(), on.Width, on.Height)
	x, y := (on.Width-w)/2, (on.Height-h)/2
	to := &image.RGBA{Pix: on.Pix, Stride: 4 * on.Width, Rect: image.Rect(0, 0, on.Width, on.Height)}
	place := image.Rect(x, y, x+w, y+h)
	for _, bar := range []image.Rectangle{
		{Max: image.Pt(on.Width, y)}, {image.Pt(0, y+h), to.Rect.Max}, {image.Pt(0, y), image.Pt(x, y+h)},
		{image.Pt(x+w, y), image.Pt(on.Width, y+h)},
	} {
		draw.Draw(to, bar, image.Black, image.Point{}, draw.Src)
	}
	switch {
	case place.Size() == img.Rect.Size():
		draw.Draw(to, place, img, img.Rect.Min, draw.Src)
	case place.Dx() > img.Rect.Dx():
		scale.NearestNeighbor.Scale(to, place, img, img.Rect, scale.Src, nil)
	default:
		scale.ApproxBiLinear.Scale(to, place, img, img.Rect, scale.Src, nil)
	}
}
