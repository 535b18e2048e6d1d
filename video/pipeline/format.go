package pipeline

import (
	"fmt"
	"math"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
)

// Stream is one of the streams that the bus carries. Each has a variant of its own, the live one.
type Stream struct {
	MediaType string // compressed
	Small     bool   // in few bits, see [ladder.Small]; otherwise in the source's own size and rate
}

// key is the key of the stream's variant.
func (s Stream) key() key { return key{mediaType: s.MediaType, small: s.Small} }

// key identifies a variant. Size 0x0 means the source's own, even if the hardware returns with another one; rate 0
// means as captured.
type key struct {
	mediaType, pixelFormat string
	width, height          int
	rate                   float64
	small                  bool // see [Stream]
	fixed                  bool // in the source's own size, whatever limits the live variant has
}

// live reports whether a variant is one of those that the bus carries.
func (k key) live() bool { return k == k.stream().key() }

// stream is the stream that a live variant makes.
func (k key) stream() Stream { return Stream{k.mediaType, k.small} }

// passes reports whether frames of a format, which must be turned by o, already are what a variant wants.
func (k key) passes(f *mediav1.VideoFormat, o codec.Orientation) bool {
	w, h := media.Even(f, f.GetWidthPx(), f.GetHeightPx())
	return o.None() && !k.small && f.GetMediaType() == k.mediaType && f.GetPixelFormat() == k.pixelFormat &&
		k.width == 0 && w == f.GetWidthPx() && h == f.GetHeightPx() && (k.rate == 0 || !media.InterCoded(k.mediaType))
}

// passes reports whether frames of the present source go to a variant untouched. The caller holds mu.
func (p *Pipeline) passes(k key) bool {
	return p.info != nil && k.passes(p.info.Current, p.turned) && !p.again(k.mediaType, p.recode)
}

// again reports whether frames of a media type are encoded again although they already have it, see [source.Info].
func (p *Pipeline) again(mediaType string, recode bool) bool {
	return recode && media.InterCoded(mediaType) && p.config.Codecs.Encodes(mediaType)
}

// resolve turns the format that a reader requested into a key. The caller holds mu, and there is a source.
func (p *Pipeline) resolve(want *mediav1.VideoFormat) (key, error) {
	f := &mediav1.VideoFormat{
		MediaType: want.GetMediaType(), PixelFormat: want.GetPixelFormat(),
		WidthPx: want.GetWidthPx(), HeightPx: want.GetHeightPx(), FrameRateHz: want.GetFrameRateHz(),
	}
	width, height, rate := p.oriented()
	if err := p.checkAsked(f); err != nil {
		return key{}, err
	}
	w, h := media.Even(f, width, height)
	f.WidthPx, f.HeightPx = min(f.WidthPx, int32(w)), min(f.HeightPx, int32(h)) // more pixels would show no more
	switch {
	case f.WidthPx == 0 && f.HeightPx == 0:
		f.WidthPx, f.HeightPx = int32(w), int32(h)
	case f.WidthPx == 0:
		f.WidthPx = min(inShape(f.HeightPx, width, height), int32(w))
	case f.HeightPx == 0:
		f.HeightPx = min(inShape(f.WidthPx, height, width), int32(h))
	}
	k := key{mediaType: f.MediaType, pixelFormat: f.PixelFormat, width: int(f.WidthPx), height: int(f.HeightPx),
		rate: f.FrameRateHz}
	if k.width == w && k.height == h {
		k.width, k.height = 0, 0
	}
	if rate > 0 && k.rate >= rate {
		k.rate = 0
	}
	// Who names a size does not want less when the stream on the bus is limited.
	k.fixed = k.live() && media.InterCoded(k.mediaType) && want.GetWidthPx()+want.GetHeightPx() > 0 &&
		!p.passes(k)
	return k, p.possible(k, f)
}

// possible reports whether a variant can be made from the present source. The caller holds mu, and there is a source.
func (p *Pipeline) possible(k key, f *mediav1.VideoFormat) error {
	own := p.info.Current
	if p.passes(k) {
		return media.Validate(f)
	}
	if err := p.config.Codecs.Check(f); err != nil {
		return err
	}
	if err := p.config.Codecs.CheckDecoder(own.GetMediaType()); err != nil {
		return fmt.Errorf("%w; or request %s in the camera's own size and rate", err, own.GetMediaType())
	}
	return nil
}

// checkAsked checks the requested sides, before they are reduced.
func (p *Pipeline) checkAsked(f *mediav1.VideoFormat) error {
	passesOnly := f.GetMediaType() == p.info.Current.GetMediaType() && !p.config.Codecs.Encodes(f.GetMediaType())
	if f.GetWidthPx() > 0 && f.GetHeightPx() > 0 && !passesOnly {
		return p.config.Codecs.Check(f)
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

// Offered lists the formats that readers can request at the default size; smaller sizes work too if the service
// encodes.
func (p *Pipeline) Offered() ([]*mediav1.VideoFormat, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info == nil {
		return nil, device.ErrAway
	}
	formats := p.config.Codecs.Formats()
	if own := p.info.Current; !p.config.Codecs.Encodes(own.GetMediaType()) {
		formats = append([]*mediav1.VideoFormat{{MediaType: own.GetMediaType(), PixelFormat: own.GetPixelFormat()}},
			formats...)
	}
	width, height, rate := p.oriented()
	var offered []*mediav1.VideoFormat
	for _, f := range formats {
		w, h := media.Even(f, width, height)
		f.WidthPx, f.HeightPx, f.FrameRateHz = int32(w), int32(h), rate
		if p.possible(key{mediaType: f.GetMediaType(), pixelFormat: f.GetPixelFormat()}, f) == nil {
			offered = append(offered, f)
		}
	}
	return offered, nil
}
