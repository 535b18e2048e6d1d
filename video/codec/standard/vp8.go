package standard

import (
	"errors"
	"fmt"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/vpx"
)

func vp8() codec.Codec {
	return codec.Codec{
		MediaType: media.VP8, Check: checkVP8, NewEncoder: newVP8,
		NewDecoder: func() codec.Decoder { return vp8Decoder{vpx.NewDecoder()} },
	}
}

func checkVP8(f *mediav1.VideoFormat) error {
	w, h := f.GetWidthPx(), f.GetHeightPx()
	switch {
	case w > vpx.MaxSide:
		return fmt.Errorf("%w: width_px is %d, must be %d to %d for %s", media.ErrFormat, w, vpx.MinSide, vpx.MaxSide,
			media.VP8)
	case h > vpx.MaxSide:
		return fmt.Errorf("%w: height_px is %d, must be %d to %d for %s", media.ErrFormat, h, vpx.MinSide, vpx.MaxSide,
			media.VP8)
	case (w+15)/16*((h+15)/16)*256 > vpx.MaxArea:
		return fmt.Errorf("%w: %dx%d is too large for %s, the limit is 4096x2304", media.ErrFormat, w, h, media.VP8)
	}
	return nil
}

// vp8Encoder passes the duration of the pictures to the library.
type vp8Encoder struct {
	*vpx.Encoder
	clock clock
}

func newVP8(f *mediav1.VideoFormat, o codec.Options) (codec.Encoder, error) {
	e, err := vpx.NewEncoder(vpx.Config{Width: int(f.GetWidthPx()), Height: int(f.GetHeightPx()), Bitrate: o.Bitrate})
	if err != nil {
		return nil, err
	}
	return &vp8Encoder{Encoder: e, clock: newClock(f.GetFrameRateHz())}, nil
}

func (e *vp8Encoder) Encode(img *media.I420, key bool, at time.Time) (codec.Packet, error) {
	e.clock.next(at)
	duration := min(max(time.Duration(e.clock.step*float64(time.Second)), time.Millisecond), time.Second)
	p, err := e.Encoder.Encode(img, key, duration)
	return codec.Packet{Data: p.Data, Key: p.Key}, err
}

// SetRate implements [codec.RateSetter].
func (e *vp8Encoder) SetRate(hz float64) error {
	e.clock.setRate(hz)
	return nil
}

// vp8Decoder skips everything before the first key frame.
type vp8Decoder struct{ *vpx.Decoder }

func (d vp8Decoder) Decode(f source.Frame) (*media.I420, time.Time, error) {
	img, err := d.Decoder.Decode(f.Data)
	if errors.Is(err, vpx.ErrNeedKey) {
		return nil, time.Time{}, nil
	}
	return img, f.Time, err
}
