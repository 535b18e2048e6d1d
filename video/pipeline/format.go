package pipeline

import (
	"fmt"
	"math"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/encode"
)

// key tells variants apart. Size 0x0 means the source's own, whatever it becomes when the hardware returns with another;
// rate 0 means as captured.
type key struct {
	mediaType, pixelFormat string
	width, height          int
	rate                   float64
}

// live is the variant that the bus carries: H.264 in the source's own size and rate.
var live = key{mediaType: media.H264}

// resolve makes a key of what a reader asked for. The caller holds mu, and there is a source.
func (p *Pipeline) resolve(want *mediav1.VideoFormat) (key, error) {
	f := &mediav1.VideoFormat{
		MediaType: want.GetMediaType(), PixelFormat: want.GetPixelFormat(),
		WidthPx: want.GetWidthPx(), HeightPx: want.GetHeightPx(), FrameRateHz: want.GetFrameRateHz(),
	}
	width, height, rate := p.oriented()
	if err := checkAsked(f); err != nil {
		return key{}, err
	}
	w, h := evenFor(f, width, height)
	f.WidthPx, f.HeightPx = min(f.WidthPx, int32(w)), min(f.HeightPx, int32(h)) // more pixels would show no more
	switch {
	case f.WidthPx == 0 && f.HeightPx == 0:
		f.WidthPx, f.HeightPx = int32(w), int32(h)
	case f.WidthPx == 0:
		f.WidthPx = min(inShape(f.HeightPx, width, height), int32(w))
	case f.HeightPx == 0:
		f.HeightPx = min(inShape(f.WidthPx, height, width), int32(h))
	}
	if err := encode.Check(f); err != nil {
		return key{}, err
	}
	k := key{f.MediaType, f.PixelFormat, int(f.WidthPx), int(f.HeightPx), f.FrameRateHz}
	if k.width == w && k.height == h {
		k.width, k.height = 0, 0
	}
	if rate > 0 && k.rate >= rate {
		k.rate = 0
	}
	return k, nil
}

// checkAsked checks the sides that a reader gave, before they are made smaller.
func checkAsked(f *mediav1.VideoFormat) error {
	if f.GetWidthPx() > 0 && f.GetHeightPx() > 0 {
		return encode.Check(f)
	}
	for field, side := range map[string]int32{"width_px": f.GetWidthPx(), "height_px": f.GetHeightPx()} {
		if side < 0 || side > media.MaxSize {
			return fmt.Errorf("%w: %s is %d, must be 0 (as configured) to %d", media.ErrFormat, field, side, media.MaxSize)
		}
	}
	return nil
}

// inShape is the length of the other side, even and at least 2, of a picture in the shape this:that.
func inShape(side int32, this, that int) int32 {
	return max(2, int32(math.Round(float64(side)*float64(this)/float64(that)/2))*2)
}

// evenFor rounds a size down to what the format can have: H.264 and YUYV want even sides.
func evenFor(f *mediav1.VideoFormat, width, height int) (int, int) {
	if f.GetMediaType() == media.H264 {
		return width &^ 1, height &^ 1
	}
	if f.GetPixelFormat() == media.PixelYUYV {
		return width &^ 1, height
	}
	return width, height
}
