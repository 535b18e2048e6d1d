package media

import "fmt"

// I420 is a picture in three planes: luma, and blue and red chroma at half the size both ways, rounded
// up. Test cards paint it, scalers and encoders accept it, and decoders produce it. Luma is 16 to 235
// and chroma 16 to 240 (BT.601 video range).
//
// A picture may be a view into a larger one: rows are a stride apart, and only the first Width bytes (or
// ChromaWidth) of each belong to it.
type I420 struct {
	Width, Height int
	Y, U, V       []byte
	StrideY       int // bytes from one row of Y to the next
	StrideC       int // bytes from one row of U, and of V, to the next
}

// I420Size is the number of bytes of a picture without padding.
func I420Size(width, height int) int {
	return width*height + 2*((width+1)/2)*((height+1)/2)
}

// NewI420 returns a picture in one allocation without padding. Its bytes are all 0 (a dark green), to be
// painted over. The size must be positive.
func NewI420(width, height int) *I420 {
	return split(make([]byte, I420Size(width, height)), width, height)
}

// I420FromPacked returns a picture that uses data, which holds the planes one after the other without
// padding. It fails if the size is impossible or data does not have exactly the right length.
func I420FromPacked(data []byte, width, height int) (*I420, error) {
	if err := checkSize(width, height); err != nil {
		return nil, err
	}
	if need := I420Size(width, height); len(data) != need {
		return nil, fmt.Errorf("%w: an I420 picture of %dx%d needs %d bytes, got %d", ErrFormat, width, height, need,
			len(data))
	}
	return split(data, width, height), nil
}

// split lets the planes keep their capacity up to the end of data, so that Packed can recover the whole.
func split(data []byte, width, height int) *I420 {
	y, c := width*height, ((width+1)/2)*((height+1)/2)
	return &I420{
		Width: width, Height: height,
		Y: data[:y], U: data[y : y+c], V: data[y+c : y+2*c],
		StrideY: width, StrideC: (width + 1) / 2,
	}
}

// ChromaWidth is the width of the planes U and V.
func (p *I420) ChromaWidth() int { return (p.Width + 1) / 2 }

// ChromaHeight is the height of the planes U and V.
func (p *I420) ChromaHeight() int { return (p.Height + 1) / 2 }

// Validate checks that the size is possible and that every plane is long enough for it, so that code
// working on the raw memory (the C libraries) stays within bounds. The error wraps ErrFormat and names
// the fault.
func (p *I420) Validate() error {
	if p == nil {
		return fmt.Errorf("%w: no picture", ErrFormat)
	}
	if err := checkSize(p.Width, p.Height); err != nil {
		return err
	}
	cw, ch := p.ChromaWidth(), p.ChromaHeight()
	if err := checkPlane("Y", p.Y, p.StrideY, p.Width, p.Height); err != nil {
		return err
	}
	if err := checkPlane("U", p.U, p.StrideC, cw, ch); err != nil {
		return err
	}
	return checkPlane("V", p.V, p.StrideC, cw, ch)
}

func checkSize(width, height int) error {
	if width < 1 || width > MaxSize || height < 1 || height > MaxSize {
		return fmt.Errorf("%w: size %dx%d, each side must be 1 to %d", ErrFormat, width, height, MaxSize)
	}
	return nil
}

func checkPlane(name string, plane []byte, stride, width, height int) error {
	if stride < width {
		return fmt.Errorf("%w: stride of %s is %d, must be at least the width %d", ErrFormat, name, stride, width)
	}
	if need := stride*(height-1) + width; len(plane) < need {
		return fmt.Errorf("%w: plane %s has %d bytes, needs %d", ErrFormat, name, len(plane), need)
	}
	return nil
}

// Packed returns the planes one after the other without padding. If the picture is already laid out like
// that in memory the result shares it; otherwise it is a copy.
func (p *I420) Packed() []byte {
	size := I420Size(p.Width, p.Height)
	if p.tight(size) {
		return p.Y[:size:size]
	}
	out := make([]byte, 0, size)
	out = appendPlane(out, p.Y, p.StrideY, p.Width, p.Height)
	out = appendPlane(out, p.U, p.StrideC, p.ChromaWidth(), p.ChromaHeight())
	return appendPlane(out, p.V, p.StrideC, p.ChromaWidth(), p.ChromaHeight())
}

// tight reports whether U follows Y, and V follows U, without padding, in one allocation that Y's
// capacity spans.
func (p *I420) tight(size int) bool {
	y, c := p.Width*p.Height, p.ChromaWidth()*p.ChromaHeight()
	if p.StrideY != p.Width || p.StrideC != p.ChromaWidth() || cap(p.Y) < size || len(p.U) < c || len(p.V) < c {
		return false
	}
	all := p.Y[:size]
	return &all[y] == &p.U[0] && &all[y+c] == &p.V[0]
}

func appendPlane(out, plane []byte, stride, width, height int) []byte {
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
