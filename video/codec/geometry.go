package codec

import (
	"fmt"

	"github.com/waldo-robot/waldo/pkg/media"
)

// Orientation is how a picture is turned after it was captured: mirrored first, then rotated clockwise.
type Orientation struct {
	FlipHorizontal, FlipVertical bool
	Rotate                       int // degrees: 0, 90, 180 or 270
}

// None reports whether pictures stay unchanged.
func (o Orientation) None() bool { return o == Orientation{} }

// After returns the orientation that has the effect of first and then o.
func (o Orientation) After(first Orientation) Orientation {
	if first.Rotate == 90 || first.Rotate == 270 {
		o.FlipHorizontal, o.FlipVertical = o.FlipVertical, o.FlipHorizontal
	}
	o.FlipHorizontal = o.FlipHorizontal != first.FlipHorizontal
	o.FlipVertical = o.FlipVertical != first.FlipVertical
	o.Rotate = (o.Rotate + first.Rotate) % 360
	return o
}

// Size returns the size that a picture of the given size has after turning.
func (o Orientation) Size(width, height int) (int, int) {
	if o.Rotate == 90 || o.Rotate == 270 {
		return height, width
	}
	return width, height
}

// Scaler scales pictures to one size.
type Scaler struct {
	Scale func(dst, src *media.I420) error // required if a picture has another size
	Reuse bool                             // the result is valid only until the next Fit
	out   *media.I420
}

// Fit returns img in the given size: img itself, or a view of it, if it has that size or just an odd last row or column
// more.
func (s *Scaler) Fit(img *media.I420, width, height int) (*media.I420, error) {
	if img.Width&^1 == width&^1 && img.Height&^1 == height&^1 && width <= img.Width && height <= img.Height {
		view := *img
		view.Width, view.Height = width, height
		return &view, nil
	}
	if s.Scale == nil {
		return nil, fmt.Errorf("%w: this service does not scale pictures, and these are %dx%d", media.ErrFormat, img.Width,
			img.Height)
	}
	if s.out == nil || !s.Reuse || s.out.Width != width || s.out.Height != height {
		s.out = media.NewI420(width, height)
	}
	return s.out, s.Scale(s.out, img)
}
