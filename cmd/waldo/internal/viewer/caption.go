package viewer

import (
	"image"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/window"
)

// captionSize is the size of text in pixels, and captionPad the space around it.
const captionSize, captionPad = 15, 6

// caption is a line of text in the upper left corner. Its pixels are kept, as most lines stay for a while.
type caption struct {
	face font.Face
	text string
	mask *image.Alpha
}

// newCaption returns an empty line.
func newCaption() (*caption, error) {
	parsed, err := opentype.Parse(gomono.TTF)
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: captionSize, DPI: 72, Hinting: font.HintingFull})
	return &caption{face: face}, err
}

// write draws a line of text on dark ground, as much of it as fits.
func (c *caption) write(on *window.Picture, text string) {
	if c.mask == nil || c.text != text {
		c.text, c.mask = text, c.render(text)
	}
	for y := range min(c.mask.Rect.Dy(), on.Height) {
		row := on.Pix[4*y*on.Width:]
		for x := range min(c.mask.Rect.Dx(), on.Width) {
			cover := int(c.mask.Pix[y*c.mask.Stride+x])
			for i := range 3 {
				ground := int(row[4*x+i]) / 4
				row[4*x+i] = byte(ground + (255-ground)*cover/255)
			}
		}
	}
}

// render returns how much of each pixel is text.
func (c *caption) render(text string) *image.Alpha {
	m := c.face.Metrics()
	width := font.MeasureString(c.face, text).Ceil()
	mask := image.NewAlpha(image.Rect(0, 0, width+2*captionPad, (m.Ascent+m.Descent).Ceil()+2*captionPad))
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: c.face}
	d.Dot = fixed.Point26_6{X: fixed.I(captionPad), Y: m.Ascent + fixed.I(captionPad)}
	d.DrawString(text)
	return mask
}
