package pipeline

import (
	"fmt"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// Limits on what readers can make the process do at once, beside the live variants.
const (
	maxVariants = 32                            // different formats
	maxPixels   = media.MaxSize * media.MaxSize // of all of them together, if there is more than one
	// bytes of pictures on their way to readers, if there is more than one reader
	maxOwed = 1 << 30
)

// room fails if one more variant would be too much. There is always room for the live ones: nobody who watches the
// robot may have to wait for others. The caller holds mu.
func (p *Pipeline) room(k key) error {
	if k.live() {
		return nil
	}
	others, sum := 0, 0
	for v := range p.running {
		if !v.key.live() {
			others, sum = others+1, sum+v.pixels
		}
	}
	switch need := p.pixels(k); {
	case others >= maxVariants:
		return fmt.Errorf("%w: %d; request one that others read", ErrTooMany, maxVariants)
	case sum > 0 && need > 0 && sum+need > maxPixels:
		return fmt.Errorf("%w: with this one they would have %d pixels, the limit is %d; request one that others read, or "+
			"a smaller one",
			ErrTooMany, sum+need, maxPixels)
	}
	return nil
}

// pixels is how many pixels a variant must make for each picture: none if the source's frames pass through. The caller
// holds mu, and there is a source.
func (p *Pipeline) pixels(k key) int {
	if p.passes(k) {
		return 0
	}
	if k.width > 0 {
		return k.width * k.height
	}
	width, height, _ := p.oriented()
	return width * height
}

// owe fails if one more reader of a format would be too much: each is sent its own copy. The caller must return the
// result to owed. The caller holds mu, and there is a source.
func (p *Pipeline) owe(k key) (int, error) {
	n := p.weight(k)
	if p.owed > 0 && n > 0 && p.owed+n > maxOwed {
		return 0, fmt.Errorf("%w: with one more reader %d bytes would be on their way at a time, the limit is %d; request "+
			"a smaller picture, or %s",
			ErrTooMany, p.owed+n, maxOwed, media.JPEG)
	}
	p.owed += n
	return n, nil
}

// weight is the approximate size of a picture in bytes. The caller holds mu, and there is a source.
func (p *Pipeline) weight(k key) int {
	if media.InterCoded(k.mediaType) && k.live() {
		return 0
	}
	width, height, _ := p.oriented()
	if k.width > 0 {
		width, height = k.width, k.height
	}
	if k.mediaType == media.Raw {
		return media.FrameSize(&mediav1.VideoFormat{
			MediaType: k.mediaType, PixelFormat: k.pixelFormat, WidthPx: int32(width), HeightPx: int32(height)})
	}
	return width * height / 4
}
