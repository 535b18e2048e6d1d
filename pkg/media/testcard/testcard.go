// Package testcard paints test pictures: colour bars, a grey ramp, a circle on a grid, the name of the
// device, a clock, the number of the frame, and a machine-readable stamp (package stamp). An animated
// card has a band of texture that never repeats, enough to fill 2 Mbit/s of H.264 at 30 frames per
// second, and a dot that goes round the circle once in two seconds.
//
// A Card paints its background once, for its first frame; a frame then costs a copy of it and a few small
// areas, which takes well below a millisecond for 1280x720. The content of a frame depends only on the
// arguments of Render.
//
// A Card is not safe for concurrent use. It owns only memory, so it needs no closing.
package testcard

import (
	"fmt"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/stamp"
)

// Limits of the size of a card, both ways, in pixels.
const (
	MinSize = 16
	MaxSize = media.MaxSize
)

// Config describes a card. The zero value is a still card without a name.
type Config struct {
	Name     string // shown at the top; printable ASCII is best, and long names are cut
	Animated bool   // with moving parts
}

// Card paints frames of one size.
type Card struct {
	config     Config
	background *media.I420 // nil before the first frame
	width      int
	height     int
	layout     layout
	texture    *texture // nil if still
	clock      *digits  // nil if the card is too small for text
}

// New returns a card. Each side must be MinSize to MaxSize; odd sizes are allowed.
func New(width, height int, config Config) (*Card, error) {
	if width < MinSize || width > MaxSize || height < MinSize || height > MaxSize {
		return nil, fmt.Errorf("test card of %dx%d: each side must be %d to %d", width, height, MinSize, MaxSize)
	}
	return &Card{config: config, width: width, height: height, layout: arrange(width, height)}, nil
}

// paintBackground paints what is the same in all frames.
func (c *Card) paintBackground() {
	c.background = media.NewI420(c.width, c.height)
	p := painter{c.background}
	p.frame(c.layout)
	c.clock = p.header(c.layout, c.config.Name)
	tex := newTexture()
	tex.paint(c.background, c.layout.texture, 0)
	tint(c.background, c.layout.texture)
	if c.config.Animated {
		c.texture = tex
		p.fill(c.layout.moving.Inset(-2).Intersect(c.layout.texture), ground) // a thin line above and below the moving part
		tint(c.background, c.layout.moving)
	}
}

// Size returns the width and height of the card.
func (c *Card) Size() (width, height int) { return c.width, c.height }

// Render paints the frame with the given number at the given time over all of img, which must have the
// card's size. The clock shows UTC.
func (c *Card) Render(img *media.I420, at time.Time, sequence int64) {
	if c.background == nil {
		c.paintBackground()
	}
	img.Copy(c.background)
	if c.texture != nil {
		c.texture.paint(img, c.layout.moving, at.UnixMicro())
		painter{img}.dot(c.layout.circle, at)
	}
	if c.clock != nil {
		c.clock.write(img, clockText(at, sequence))
	}
	stamp.Write(img, at, sequence)
}

// clockText is the time as HH:MM:SS.mmm and the sequence, in a fixed number of characters until a
// million frames.
func clockText(at time.Time, sequence int64) []byte {
	text := at.UTC().AppendFormat(make([]byte, 0, 32), "15:04:05.000")
	return fmt.Appendf(text, " #%06d", sequence)
}
