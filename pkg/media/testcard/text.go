package testcard

import (
	"fmt"
	"image"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/waldo-robot/waldo/pkg/media"
)

const (
	minText    = 7  // pixels; smaller text cannot be read, and is left out
	maxText    = 64 // pixels; larger text only costs memory
	clockChars = len("15:04:05.000 #000000")
	glyphs     = "0123456789:.# -"
)

// header writes the name and the size of the picture, and returns the digits that write the clock below;
// nil if there is no room.
func (p painter) header(l layout, name string) *digits {
	if l.clock.Empty() {
		return nil
	}
	height := min(l.clock.Dy()*9/10, l.clock.Dx()*10/(6*clockChars), maxText)
	if height < minText {
		return nil
	}
	p.label(l.name, min(l.name.Dy()*9/10, height), fmt.Sprintf("%s %dx%d", name, l.bounds.Dx(), l.bounds.Dy()))
	return newDigits(p.img, l.clock, height)
}

// label writes text from the left edge of r, as much of it as fits.
func (p painter) label(r image.Rectangle, height int, text string) {
	face, advance := mono(height)
	if face == nil || advance == 0 {
		return
	}
	runes := []rune(text)
	mask := drawText(face, image.Rect(0, 0, r.Dx(), r.Dy()), string(runes[:min(len(runes), r.Dx()/advance)]))
	for y := range mask.Rect.Dy() {
		row := p.img.Y[(r.Min.Y+y)*p.img.StrideY+r.Min.X:]
		for x := range mask.Rect.Dx() {
			row[x] = blend(row[x], faint, float64(mask.Pix[y*mask.Stride+x])/255)
		}
	}
}

// mono returns the Go mono face at a size where a line is about height pixels tall, and the width of its
// characters. The font is part of the program; if it cannot be read, cards have no text.
func mono(height int) (face font.Face, advance int) {
	parsed, err := opentype.Parse(gomono.TTF)
	if err != nil {
		return nil, 0
	}
	face, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: float64(height) * .96, DPI: 72,
		Hinting: font.HintingFull})
	if err != nil {
		return nil, 0
	}
	width, _ := face.GlyphAdvance('0')
	return face, width.Round()
}

func drawText(face font.Face, r image.Rectangle, text string) *image.Alpha {
	mask := image.NewAlpha(r)
	m := face.Metrics()
	line := (m.Ascent + m.Descent).Ceil()
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: face}
	d.Dot = fixed.Point26_6{Y: m.Ascent + fixed.I((r.Dy()-line)/2)}
	d.DrawString(text)
	return mask
}

// digits holds the characters of the clock ready to be copied: rendering text would cost more than the
// rest of a frame.
type digits struct {
	tiles         [128][]byte // luma, width x height; nil for characters that the clock never shows
	width, height int
	area          image.Rectangle // where the text goes, inside its panel
}

// newDigits paints the characters on a panel, for text of the given height at the left edge of r. It
// also paints the panel.
func newDigits(img *media.I420, r image.Rectangle, height int) *digits {
	face, advance := mono(height)
	if face == nil {
		return nil
	}
	pad := height / 4 &^ 1
	r.Max.X = min(r.Max.X, r.Min.X+(clockChars*advance+2*pad+1)&^1)
	painter{img}.fill(r, panel)
	r.Min.X = min(r.Min.X+pad, max(r.Min.X, r.Max.X-clockChars*advance))
	d := &digits{width: advance, height: r.Dy(), area: r}
	for _, c := range glyphs {
		mask := drawText(face, image.Rect(0, 0, d.width, d.height), string(c))
		tile := make([]byte, len(mask.Pix))
		for i, cover := range mask.Pix {
			tile[i] = blend(panel.y, ink, float64(cover)/255)
		}
		d.tiles[c] = tile
	}
	return d
}

// write copies text into its area, as much of it as fits.
func (d *digits) write(img *media.I420, text []byte) {
	x := d.area.Min.X
	for _, c := range text {
		if x+d.width > d.area.Max.X {
			return
		}
		if tile := d.tiles[c&0x7f]; tile != nil {
			for y := range d.height {
				copy(img.Y[(d.area.Min.Y+y)*img.StrideY+x:][:d.width], tile[y*d.width:])
			}
		}
		x += d.width
	}
}
