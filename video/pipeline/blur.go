package pipeline

import "github.com/waldo-robot/waldo/pkg/media"

// blur takes the details from pictures.
type blur struct {
	small, out *media.I420
}

// apply sets out to a picture of which only so many parts of each side are left, as the scale function scales.
func (b *blur) apply(scale func(dst, src *media.I420) error, img *media.I420, part int) error {
	b.small = media.NewI420(max(2, img.Width/part&^1), max(2, img.Height/part&^1))
	if b.out == nil || b.out.Width != img.Width || b.out.Height != img.Height {
		b.out = media.NewI420(img.Width, img.Height)
	}
	if err := scale(b.small, img); err != nil {
		return err
	}
	return scale(b.out, b.small)
}
