package media

import "fmt"

// I420 is a picture in three planes: luma, and blue and red chroma at half the size both ways, rounded up. It is what test
// cards paint, scalers and encoders take, and decoders give. Luma is 16 to 235 and chroma 16 to 240 (BT.601 video range).
//
// A picture may be a view into a larger one: rows are Stride bytes apart, and only the first Width (or chroma width) of each
// belong to it.
type I420 struct {
	Width, Height int
	Y, U, V       []byte
	StrideY       int // bytes from one row of Y to the next
	StrideC       int // bytes from one row of U, and of V, to the next
}

// NewI420 returns a picture of the given size in one tightly packed allocation. Its bytes are all 0 (a dark green), to be
// painted over. The size must be positive.
func NewI420(width, height int) *I420 {
	cw, ch := (width+1)/2, (height+1)/2
	img, _ := I420FromPacked(width, height, make([]byte, width*height+2*cw*ch))
	return img
}

// I420FromPacked returns a picture that uses data, which holds the planes one after the other without padding. It fails if
// data has not exactly the right length.
func I420FromPacked(width, height int, data []byte) (*I420, error) {
	cw, ch := (width+1)/2, (height+1)/2
	y, c := width*height, cw*ch
	if width <= 0 || height <= 0 || len(data) != y+2*c {
		return nil, fmt.Errorf("%w: %d bytes are not an I420 picture of %dx%d", ErrFormat, len(data), width, height)
	}
	return &I420{
		Width: width, Height: height,
		Y: data[:y:y], U: data[y : y+c : y+c], V: data[y+c:],
		StrideY: width, StrideC: cw,
	}, nil
}

// ChromaWidth is the width of the planes U and V.
func (p *I420) ChromaWidth() int { return (p.Width + 1) / 2 }

// ChromaHeight is the height of the planes U and V.
func (p *I420) ChromaHeight() int { return (p.Height + 1) / 2 }

// Packed returns the planes one after the other without padding. If the picture already lies like that in memory, the result
// shares it; otherwise it is a copy.
func (p *I420) Packed() []byte {
	y, c := p.Width*p.Height, p.ChromaWidth()*p.ChromaHeight()
	if p.StrideY == p.Width && p.StrideC == p.ChromaWidth() && p.contiguous(y, c) {
		return p.Y[: y+2*c : y+2*c]
	}
	out := make([]byte, 0, y+2*c)
	out = appendPlane(out, p.Y, p.Width, p.Height, p.StrideY)
	out = appendPlane(out, p.U, p.ChromaWidth(), p.ChromaHeight(), p.StrideC)
	return appendPlane(out, p.V, p.ChromaWidth(), p.ChromaHeight(), p.StrideC)
}

// contiguous reports whether U follows Y, and V follows U, within one allocation that Y's capacity covers.
func (p *I420) contiguous(y, c int) bool {
	if cap(p.Y) < y+2*c {
		return false
	}
	all := p.Y[: y+2*c : y+2*c]
	return &all[y] == &p.U[0] && &all[y+c] == &p.V[0]
}

func appendPlane(out, plane []byte, width, height, stride int) []byte {
	for row := range height {
		out = append(out, plane[row*stride:row*stride+width]...)
	}
	return out
}

// Copy copies the pixels of src, which must have the same size, into p.
func (p *I420) Copy(src *I420) {
	copyPlane(p.Y, p.StrideY, src.Y, src.StrideY, p.Width, p.Height)
	copyPlane(p.U, p.StrideC, src.U, src.StrideC, p.ChromaWidth(), p.ChromaHeight())
	copyPlane(p.V, p.StrideC, src.V, src.StrideC, p.ChromaWidth(), p.ChromaHeight())
}

func copyPlane(dst []byte, dstStride int, src []byte, srcStride, width, height int) {
	if dstStride == width && srcStride == width {
		copy(dst[:width*height], src)
		return
	}
	for row := range height {
		copy(dst[row*dstStride:row*dstStride+width], src[row*srcStride:])
	}
}
