package testcard

import (
	"encoding/binary"
	"image"
	"math/rand/v2"

	"github.com/waldo-robot/waldo/pkg/media"
)

// texture is a moving pattern. Two layers of the same soft noise slide over each other in different
// directions, and their mean is shown: an encoder cannot predict it by motion compensation, so every
// frame costs bits, as a real scene does.
type texture struct {
	tile []byte // luma, tileSize rows of tileSize bytes and as many again, so that a row can be read from any column
}

const tileSize = 256

// newTexture makes the noise from a fixed seed: smooth values on grids of 32, 8 and 4 pixels, added up.
// It wraps around at every edge.
func newTexture() *texture {
	sum := make([]float64, tileSize*tileSize)
	random := rand.New(rand.NewPCG(0x77616c, 0x646f))
	for _, layer := range []struct {
		step      int
		amplitude float64
	}{{32, 60}, {8, 42}, {4, 22}} {
		addNoise(sum, random, layer.step, layer.amplitude)
	}
	t := &texture{tile: make([]byte, 2*tileSize*tileSize)}
	for y := range tileSize {
		for x := range 2 * tileSize {
			v := 128 + sum[y*tileSize+x%tileSize]
			t.tile[y*2*tileSize+x] = byte(min(235, max(16, v)))
		}
	}
	return t
}

// addNoise adds values between -amplitude and amplitude, random every step pixels and linear in between.
func addNoise(sum []float64, random *rand.Rand, step int, amplitude float64) {
	n := tileSize / step
	grid := make([]float64, n*n)
	for i := range grid {
		grid[i] = (2*random.Float64() - 1) * amplitude
	}
	at := func(x, y int) float64 { return grid[y%n*n+x%n] }
	for y := range tileSize {
		for x := range tileSize {
			gx, gy := x/step, y/step
			fx, fy := float64(x%step)/float64(step), float64(y%step)/float64(step)
			top := at(gx, gy)*(1-fx) + at(gx+1, gy)*fx
			low := at(gx, gy+1)*(1-fx) + at(gx+1, gy+1)*fx
			sum[y*tileSize+x] += top*(1-fy) + low*fy
		}
	}
}

// paint fills the luma of r with the pattern at the given time in microseconds.
func (t *texture) paint(img *media.I420, r image.Rectangle, micros int64) {
	ax, ay := offset(micros, 97), offset(micros, 41)
	bx, by := offset(micros, -71), offset(micros, 67)
	for y := range r.Dy() {
		a := t.tile[(y+ay)%tileSize*2*tileSize:][:2*tileSize]
		b := t.tile[(y+by+tileSize/2)%tileSize*2*tileSize:][:2*tileSize]
		row := img.Y[(r.Min.Y+y)*img.StrideY+r.Min.X:][:r.Dx()]
		for len(row) > 0 {
			n := min(len(row), tileSize)
			mean(row[:n], a[ax:], b[bx:])
			row = row[n:]
		}
	}
}

// offset is how far a layer moving at a speed in pixels per second has come, 0 to tileSize-1.
func offset(micros int64, speed int64) int {
	const period = tileSize * 1_000_000 // after which every integer speed is back at 0
	v := micros % period * speed / 1_000_000 % tileSize
	return int((v + tileSize) % tileSize)
}

// mean sets dst to the mean of a and b, eight bytes at a time.
func mean(dst, a, b []byte) {
	const low = 0x7f7f7f7f7f7f7f7f
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		x, y := binary.LittleEndian.Uint64(a[i:]), binary.LittleEndian.Uint64(b[i:])
		binary.LittleEndian.PutUint64(dst[i:], x&y+(x^y)>>1&low)
	}
	for ; i < len(dst); i++ {
		dst[i] = byte((int(a[i]) + int(b[i])) / 2)
	}
}

// tint fills the chroma of r, from teal on the left to amber on the right.
func tint(img *media.I420, r image.Rectangle) {
	x, y, width, height := r.Min.X/2, r.Min.Y/2, r.Dx()/2, r.Dy()/2
	if width == 0 || height == 0 {
		return
	}
	u, v := img.U[y*img.StrideC+x:][:width], img.V[y*img.StrideC+x:][:width]
	for i := range width {
		u[i], v[i] = byte(140-36*i/width), byte(104+44*i/width)
	}
	for row := 1; row < height; row++ {
		copy(img.U[(y+row)*img.StrideC+x:][:width], u)
		copy(img.V[(y+row)*img.StrideC+x:][:width], v)
	}
}
