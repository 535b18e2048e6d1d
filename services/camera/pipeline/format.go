package pipeline

import (
	"fmt"
	"math"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/camera/encode"
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
	if f.WidthPx < 0 || f.HeightPx < 0 {
		return key{}, fmt.Errorf("%w: width_px and height_px are %dx%d, must be 0 (as configured) or more",
			media.ErrFormat, f.WidthPx, f.HeightPx)
	}
	switch {
	case f.WidthPx == 0 && f.HeightPx == 0:
		w, h := evenFor(f, width, height)
		f.WidthPx, f.HeightPx = int32(w), int32(h)
	case f.WidthPx == 0:
		f.WidthPx = inShape(f.HeightPx, width, height)
	case f.HeightPx == 0:
		f.HeightPx = inShape(f.WidthPx, height, width)
	}
	if err := encode.Check(f); err != nil {
		return key{}, err
	}
	k := key{f.MediaType, f.PixelFormat, int(f.WidthPx), int(f.HeightPx), f.FrameRateHz}
	if w, h := evenFor(f, width, height); k.width == w && k.height == h {
		k.width, k.height = 0, 0
	}
	if rate > 0 && k.rate >= rate {
		k.rate = 0
	}
	return k, nil
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
