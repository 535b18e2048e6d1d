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
	return packedI420(make([]byte, width*height+2*cw*ch), width, height)
}

// I420FromPacked returns a picture that uses data, which holds the planes one after the other without padding. It fails if
// data has not exactly the right length.
func I420FromPacked(data []byte, width, height int) (*I420, error) {
	if width < 1 || height < 1 || width > MaxSize || height > MaxSize {
		return nil, fmt.Errorf("%w: I420 size %dx%d: width and height must be 1 to %d", ErrFormat, width, height, MaxSize)
	}
	if want := I420Size(width, height); len(data) != want {
		return nil, fmt.Errorf("%w: I420 data has %d bytes, but %dx%d needs %d", ErrFormat, len(data), width, height, want)
	}
	return packedI420(data, width, height), nil
}

// I420Size is the number of bytes of a picture without padding.
func I420Size(width, height int) int {
	return width*height + 2*((width+1)/2)*((height+1)/2)
}

// packedI420 lays the planes over data. Y keeps the capacity of all of it, which is how Packed finds the rest.
func packedI420(data []byte, width, height int) *I420 {
	cw, ch := (width+1)/2, (height+1)/2
	y, c := width*height, cw*ch
	return &I420{
		Width: width, Height: height,
		Y: data[:y], U: data[y : y+c : y+c], V: data[y+c:],
		StrideY: width, StrideC: cw,
	}
}

// Validate reports the first field that does not fit the others. Code that hands the planes to C relies on it.
func (p *I420) Validate() error {
	if p == nil {
		return fmt.Errorf("%w: I420 picture is nil", ErrFormat)
	}
	if p.Width < 1 || p.Height < 1 || p.Width > MaxSize || p.Height > MaxSize {
		return fmt.Errorf("%w: I420 size %dx%d: width and height must be 1 to %d", ErrFormat, p.Width, p.Height, MaxSize)
	}
	if err := checkPlane("Y", p.Y, p.Width, p.Height, p.StrideY); err != nil {
		return err
	}
	if err := checkPlane("U", p.U, p.ChromaWidth(), p.ChromaHeight(), p.StrideC); err != nil {
		return err
	}
	return checkPlane("V", p.V, p.ChromaWidth(), p.ChromaHeight(), p.StrideC)
}

// checkPlane allows the last row to end with its last pixel, as it does in a view.
func checkPlane(name string, data []byte, width, height, stride int) error {
	const maxStride = 1 << 17 // with MaxSize rows, every offset fits a C int
	if stride < width || stride > maxStride {
		return fmt.Errorf("%w: I420 stride of %s is %d: must be %d (the width of the plane) to %d", ErrFormat, name, stride, width, maxStride)
	}
	if need := stride*(height-1) + width; len(data) < need {
		return fmt.Errorf("%w: I420 plane %s has %d bytes, but %d rows of stride %d need %d", ErrFormat, name, len(data), height, stride, need)
	}
	return nil
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
	if y == 0 || cap(p.Y) < y+2*c || len(p.U) < c || len(p.V) < c {
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
