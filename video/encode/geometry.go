package encode

import (
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/yuv"
)

// Orientation is how a picture is turned after it was captured: mirrored first, then rotated clockwise.
type Orientation struct {
	FlipHorizontal, FlipVertical bool
	Rotate                       int // degrees: 0, 90, 180 or 270
}

// None reports whether pictures stay as they are.
func (o Orientation) None() bool { return o == Orientation{} }

// After returns the orientation that does the same as first and then o.
func (o Orientation) After(first Orientation) Orientation {
	if first.Rotate == 90 || first.Rotate == 270 {
		o.FlipHorizontal, o.FlipVertical = o.FlipVertical, o.FlipHorizontal
	}
	o.FlipHorizontal = o.FlipHorizontal != first.FlipHorizontal
	o.FlipVertical = o.FlipVertical != first.FlipVertical
	o.Rotate = (o.Rotate + first.Rotate) % 360
	return o
}

// Size returns the size of a picture of the given size after Apply.
func (o Orientation) Size(width, height int) (int, int) {
	if o.Rotate == 90 || o.Rotate == 270 {
		return height, width
	}
	return width, height
}

// Apply returns the turned picture; img itself if there is nothing to do. It may be called from any goroutine.
func (o Orientation) Apply(img *media.I420) (*media.I420, error) {
	steps := []struct {
		wanted bool
		turn   func(dst, src *media.I420) error
		rotate int
	}{
		{o.FlipHorizontal, yuv.MirrorH, 0},
		{o.FlipVertical, yuv.FlipV, 0},
		{o.Rotate != 0, func(dst, src *media.I420) error { return yuv.Rotate(dst, src, o.Rotate) }, o.Rotate},
	}
	for _, s := range steps {
		if !s.wanted {
			continue
		}
		out := media.NewI420(Orientation{Rotate: s.rotate}.Size(img.Width, img.Height))
		if err := s.turn(out, img); err != nil {
			return nil, err
		}
		img = out
	}
	return img, nil
}

// Scaler brings pictures to one size. The zero value is ready.
type Scaler struct {
	Reuse bool // the result is valid only until the next Fit
	out   *media.I420
}

// Fit returns img in the given size; img itself, or a view of it, if nothing or only an odd last row or column is too much.
func (s *Scaler) Fit(img *media.I420, width, height int) (*media.I420, error) {
	if img.Width&^1 == width&^1 && img.Height&^1 == height&^1 && width <= img.Width && height <= img.Height {
		view := *img
		view.Width, view.Height = width, height
		return &view, nil
	}
	if s.out == nil || !s.Reuse || s.out.Width != width || s.out.Height != height {
		s.out = media.NewI420(width, height)
	}
	filter := yuv.Box
	if width > img.Width || height > img.Height {
		filter = yuv.Bilinear
	}
	return s.out, yuv.Scale(s.out, img, filter)
}
