package standard

import (
	"errors"
	"fmt"
	"math"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/source"
)

// Limits of H.264 on top of those of a VideoFormat.
const (
	minH264Size = 16
	maxH264Size = 4096
	maxH264Area = 36864 * 256 // pixels, level 5.2
	maxH264Rate = 60
)

func h264() codec.Codec {
	return codec.Codec{
		MediaType: media.H264, Check: checkH264, NewEncoder: newH264,
		NewDecoder: func() codec.Decoder { return h264Decoder{openh264.NewDecoder()} },
	}
}

func checkH264(f *mediav1.VideoFormat) error {
	w, h := f.GetWidthPx(), f.GetHeightPx()
	switch {
	case w < minH264Size || w > maxH264Size:
		return fmt.Errorf("%w: width_px is %d, must be %d to %d for %s", media.ErrFormat, w, minH264Size, maxH264Size,
			media.H264)
	case h < minH264Size || h > maxH264Size:
		return fmt.Errorf("%w: height_px is %d, must be %d to %d for %s", media.ErrFormat, h, minH264Size, maxH264Size,
			media.H264)
	case (w+15)/16*((h+15)/16)*256 > maxH264Area:
		return fmt.Errorf("%w: %dx%d is too large for %s, the limit is 4096x2304", media.ErrFormat, w, h, media.H264)
	}
	return nil
}

// h264Encoder passes the time and the rate of the pictures to the library.
type h264Encoder struct {
	encoder *openh264.Encoder
	clock   clock
	rate    float64 // that the encoder is set to
}

func newH264(f *mediav1.VideoFormat, o codec.Options) (codec.Encoder, error) {
	rate := f.GetFrameRateHz()
	if rate == 0 {
		rate = defaultRate
	}
	rate = min(max(rate, 1), maxH264Rate)
	e, err := openh264.NewEncoder(openh264.Config{
		Width: int(f.GetWidthPx()), Height: int(f.GetHeightPx()), FrameRate: rate, Bitrate: o.Bitrate,
	})
	if err != nil {
		return nil, err
	}
	return &h264Encoder{encoder: e, clock: newClock(rate), rate: rate}, nil
}

func (e *h264Encoder) Encode(img *media.I420, key bool, at time.Time) (codec.Packet, error) {
	now := e.clock.next(at)
	if err := e.followRate(); err != nil {
		return codec.Packet{}, err
	}
	p, err := e.encoder.Encode(img, key, now)
	return codec.Packet{Data: p.Data, Key: p.Key}, err
}

// followRate sets the encoder to the actual picture rate. Its rate control counts pictures, not time: a camera that
// slows down in the dark would get only part of its bits.
func (e *h264Encoder) followRate() error {
	const tolerance = 0.1
	rate := min(max(1/e.clock.step, 1), maxH264Rate)
	if math.Abs(rate-e.rate) < tolerance*e.rate {
		return nil
	}
	e.rate = rate
	return e.encoder.SetFrameRate(rate)
}

// SetRate implements [codec.RateSetter].
func (e *h264Encoder) SetRate(hz float64) error {
	e.clock.setRate(hz)
	return e.followRate()
}

func (e *h264Encoder) SetBitrate(bps int) error { return e.encoder.SetBitrate(bps) }

func (e *h264Encoder) Close() error { return e.encoder.Close() }

// h264Decoder skips everything before the first key frame.
type h264Decoder struct{ *openh264.Decoder }

func (d h264Decoder) Decode(f source.Frame) (*media.I420, time.Time, error) {
	img, at, err := d.DecodeAt(f.Data, f.Time)
	if errors.Is(err, openh264.ErrNeedKey) {
		return nil, time.Time{}, nil
	}
	return img, at, err
}
