package standard

import (
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/yuv"
)

// turn implements the Turn of a codec.Set.
func turn(img *media.I420, o codec.Orientation) (*media.I420, error) {
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
		out := media.NewI420(codec.Orientation{Rotate: s.rotate}.Size(img.Width, img.Height))
		if err := s.turn(out, img); err != nil {
			return nil, err
		}
		img = out
	}
	return img, nil
}

// scale implements the Scale of a codec.Set.
func scale(dst, src *media.I420) error {
	if dst.Width > src.Width || dst.Height > src.Height {
		return yuv.Scale(dst, src, yuv.Bilinear)
	}
	return yuv.Scale(dst, src, yuv.Box)
}
