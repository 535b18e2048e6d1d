// Package encode turns what sources capture into pictures, and pictures into what readers want. It puts the codecs (packages
// openh264, turbojpeg, yuv) behind one small interface, so that nothing else needs to know them.
//
// Nothing here is safe for concurrent use unless it says so. Encoder and Decoder own memory outside Go: close them.
package encode

import (
	"fmt"
	"math"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/turbojpeg"
	"github.com/waldo-robot/waldo/video/yuv"
)

// Encoder makes one media type out of pictures of one size.
type Encoder interface {
	// Encode encodes one picture. If key is set it becomes a key frame, where the media type has others. No data and no
	// error means that the encoder left the picture out. The data is not used again by the encoder, but may share memory
	// with img.
	Encode(img *media.I420, key bool, at time.Time) (Packet, error)
	// Close frees the encoder. It may be called more than once.
	Close() error
}

// BitrateSetter is an Encoder whose target can change between two pictures.
type BitrateSetter interface {
	SetBitrate(bps int) error
}

// Packet is one encoded picture.
type Packet struct {
	Data []byte
	Key  bool // decoding can begin here
}

// Options say how to encode. The zero value works.
type Options struct {
	Bitrate     int // of H.264, in bit/s; 0 picks one for size and rate
	JPEGQuality int // 1 to 100; 0 means DefaultJPEGQuality
}

// DefaultJPEGQuality is a good middle: little to see, a tenth of the raw size.
const DefaultJPEGQuality = 85

// Limits of H.264 that come on top of those of a VideoFormat.
const (
	minH264Size = 16
	maxH264Size = 4096
	maxH264Area = 36864 * 256 // pixels, level 5.2
	maxH264Rate = 60
	// defaultH264Rate is what the encoder assumes of a source that does not tell its rate.
	defaultH264Rate = 30
)

// Check tells whether a complete format can be made. The error wraps media.ErrFormat and names the field.
func Check(f *mediav1.VideoFormat) error {
	if err := media.Validate(f); err != nil || f.GetMediaType() == media.JPEG || f.GetMediaType() == media.Raw {
		return err
	}
	if f.GetMediaType() != media.H264 {
		return fmt.Errorf("%w: media_type %s has no encoder", media.ErrFormat, f.GetMediaType())
	}
	w, h := f.GetWidthPx(), f.GetHeightPx()
	switch {
	case w < minH264Size || w > maxH264Size:
		return fmt.Errorf("%w: width_px is %d, must be %d to %d for %s", media.ErrFormat, w, minH264Size, maxH264Size, media.H264)
	case h < minH264Size || h > maxH264Size:
		return fmt.Errorf("%w: height_px is %d, must be %d to %d for %s", media.ErrFormat, h, minH264Size, maxH264Size, media.H264)
	case (w+15)/16*((h+15)/16)*256 > maxH264Area:
		return fmt.Errorf("%w: %dx%d is too large for %s, which ends at 4096x2304", media.ErrFormat, w, h, media.H264)
	}
	return nil
}

// New returns an encoder for a format that passes Check.
func New(f *mediav1.VideoFormat, o Options) (Encoder, error) {
	if err := Check(f); err != nil {
		return nil, err
	}
	switch f.GetMediaType() {
	case media.H264:
		return newH264(f, o.Bitrate)
	case media.JPEG:
		if o.JPEGQuality == 0 {
			o.JPEGQuality = DefaultJPEGQuality
		}
		return jpeg{o.JPEGQuality}, nil
	}
	return raw{f}, nil
}

type h264 struct {
	encoder *openh264.Encoder
	start   time.Time
	last    time.Duration
	rate    float64 // that the encoder was told
	step    float64 // seconds between two pictures, averaged over about a second
}

func newH264(f *mediav1.VideoFormat, bitrate int) (*h264, error) {
	rate := min(f.GetFrameRateHz(), maxH264Rate)
	if rate != 0 {
		rate = max(1, rate)
	}
	e, err := openh264.NewEncoder(openh264.Config{
		Width: int(f.GetWidthPx()), Height: int(f.GetHeightPx()), FrameRate: rate, Bitrate: bitrate,
	})
	if err != nil {
		return nil, err
	}
	if rate == 0 {
		rate = defaultH264Rate
	}
	return &h264{encoder: e, rate: rate, step: 1 / rate}, nil
}

func (e *h264) Encode(img *media.I420, key bool, at time.Time) (Packet, error) {
	if e.start.IsZero() {
		e.start, e.last = at, -time.Millisecond
	}
	before := e.last
	e.last = max(at.Sub(e.start), e.last+time.Millisecond) // the clock may be set back, the encoder's time may not
	if before >= 0 {
		if err := e.followRate((e.last - before).Seconds()); err != nil {
			return Packet{}, err
		}
	}
	p, err := e.encoder.Encode(img, key, e.last)
	return Packet{p.Data, p.Key}, err
}

// followRate tells the encoder how often pictures really come. Its rate control counts pictures, not time: a camera that slows
// down in the dark would get only a part of its bits.
func (e *h264) followRate(step float64) error {
	const smoothing, tolerance = 1.0 / 32, 0.1
	e.step += (min(step, 1) - e.step) * smoothing // a pause is no slow camera
	rate := min(max(1/e.step, 1), maxH264Rate)
	if math.Abs(rate-e.rate) < tolerance*e.rate {
		return nil
	}
	e.rate = rate
	return e.encoder.SetFrameRate(rate)
}

func (e *h264) SetBitrate(bps int) error { return e.encoder.SetBitrate(bps) }

func (e *h264) Close() error { return e.encoder.Close() }

type jpeg struct{ quality int }

func (e jpeg) Encode(img *media.I420, _ bool, _ time.Time) (Packet, error) {
	data, err := turbojpeg.Encode(img, e.quality)
	return Packet{data, true}, err
}

func (jpeg) Close() error { return nil }

type raw struct{ format *mediav1.VideoFormat }

func (e raw) Encode(img *media.I420, _ bool, _ time.Time) (p Packet, err error) {
	if e.format.GetPixelFormat() == media.PixelI420 {
		return Packet{img.Packed(), true}, nil
	}
	data := make([]byte, media.FrameSize(e.format))
	switch e.format.GetPixelFormat() {
	case media.PixelYUYV:
		err = yuv.I420ToYUYV(data, 0, img)
	case media.PixelNV12:
		err = yuv.I420ToNV12(data, 0, img)
	default:
		err = yuv.I420ToBGR24(data, 0, img)
	}
	return Packet{data, true}, err
}

func (raw) Close() error { return nil }
