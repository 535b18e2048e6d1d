package sim

import (
	"image"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/waldo-robot/waldo/pkg/media"
)

// notice marks a picture as not live: it removes its colours and much of its light, and writes text across it.
type notice struct {
	text *image.Alpha // with its place on the picture; empty if it would be too small to read
	dim  [256]byte
}

const (
	minText, maxText = 6, 40 // height of a line in pixels
	panelLuma        = 24
	textLuma         = 225
)

func newNotice(width, height int, text string) *notice {
	n := &notice{text: image.NewAlpha(image.Rectangle{})}
	for i := range n.dim {
		n.dim[i] = byte(16 + max(0, i-16)*11/20)
	}
	// A character of this font is 0.6 times as wide as a line is high.
	size := min(width*9/10*10/6/len(text), height/4, maxText, height/16+10)
	if face := mono(size); face != nil && size >= minText {
		n.text = panel(face, width, height, text)
	}
	return n
}

// mono is the font, which is part of the program. If it cannot be parsed it is nil, and notices have no text.
func mono(size int) font.Face {
	parsed, err := opentype.Parse(gomono.TTF)
	if err != nil {
		return nil
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil
	}
	return face
}

// panel draws text in the middle of the lower part of a picture, with a margin.
func panel(face font.Face, width, height int, text string) *image.Alpha {
	m := face.Metrics()
	d := font.Drawer{Src: image.Opaque, Face: face}
	line := (m.Ascent + m.Descent).Ceil()
	w, h := min(width, d.MeasureString(text).Ceil()+line), min(height, line*3/2)
	box := image.Rect(0, 0, w, h).Add(image.Pt((width-w)/2, (height-h)*4/5))
	mask := image.NewAlpha(box)
	d.Dst = mask
	d.Dot = fixed.P(box.Min.X, box.Min.Y+(h-line)/2).Add(fixed.Point26_6{
		X: (fixed.I(w) - d.MeasureString(text)) / 2, Y: m.Ascent})
	d.DrawString(text)
	return mask
}

func (n *notice) paint(img *media.I420) {
	for row := range img.Height {
		line := img.Y[row*img.StrideY:][:img.Width]
		for i, v := range line {
			line[i] = n.dim[v]
		}
	}
	for row := range img.ChromaHeight() {
		fill(img.U[row*img.StrideC:][:img.ChromaWidth()], 128)
		fill(img.V[row*img.StrideC:][:img.ChromaWidth()], 128)
	}
	box := n.text.Rect
	for y := box.Min.Y; y < box.Max.Y; y++ {
		line := img.Y[y*img.StrideY+box.Min.X:][:box.Dx()]
		for i := range line {
			cover := int(n.text.Pix[(y-box.Min.Y)*n.text.Stride+i])
			line[i] = byte(panelLuma + (textLuma-panelLuma)*cover/255)
		}
	}
}
