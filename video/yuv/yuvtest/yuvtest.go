// Package yuvtest makes pictures for tests of codecs and converters, and measures how similar the results are. It is
// pure Go, and shares no code with what it tests.
package yuvtest

import (
	"math"
	"math/rand/v2"

	"github.com/waldo-robot/waldo/pkg/media"
)

// Picture returns a smooth, colourful picture in video range that differs in every direction, so that a picture which
// is turned, mirrored or has its planes mixed up does not match it. Step moves its content.
func Picture(width, height, step int) *media.I420 {
	p := media.NewI420(width, height)
	fill(p.Y, p.StrideY, width, height, func(x, y float64) float64 {
		return 40 + 90*x + 60*y + 40*math.Sin(14*x*x+9*y+float64(step)/8)
	})
	cw, ch := p.ChromaWidth(), p.ChromaHeight()
	fill(p.U, p.StrideC, cw, ch, func(x, y float64) float64 { return 70 + 110*x + 30*y*y })
	fill(p.V, p.StrideC, cw, ch, func(x, y float64) float64 { return 200 - 100*y - 40*x*x })
	return p
}

// Noise returns a picture of random samples in video range: the hardest content to encode.
func Noise(width, height int, seed uint64) *media.I420 {
	p := media.NewI420(width, height)
	random := rand.New(rand.NewPCG(seed, 0))
	for i, b := 0, p.Packed(); i < len(b); i++ {
		b[i] = byte(16 + random.IntN(220))
	}
	return p
}

// Grain adds noise of up to amount to the luma of p, like a sensor in poor light.
func Grain(p *media.I420, amount int, seed uint64) *media.I420 {
	random := rand.New(rand.NewPCG(seed, 1))
	for i, s := range p.Y {
		p.Y[i] = byte(min(max(int(s)+random.IntN(2*amount+1)-amount, 16), 235))
	}
	return p
}

// PSNR is the similarity of each plane in decibels, infinite if they are equal: above 40 no eye sees a difference,
// below 25 it is another picture. It is 0 for pictures of different size.
func PSNR(a, b *media.I420) (y, u, v float64) {
	if a.Width != b.Width || a.Height != b.Height {
		return 0, 0, 0
	}
	cw, ch := a.ChromaWidth(), a.ChromaHeight()
	return planePSNR(a.Y, a.StrideY, b.Y, b.StrideY, a.Width, a.Height),
		planePSNR(a.U, a.StrideC, b.U, b.StrideC, cw, ch),
		planePSNR(a.V, a.StrideC, b.V, b.StrideC, cw, ch)
}

// WorstPSNR is the lowest of the three.
func WorstPSNR(a, b *media.I420) float64 {
	y, u, v := PSNR(a, b)
	return min(y, u, v)
}

func planePSNR(a []byte, strideA int, b []byte, strideB, width, height int) float64 {
	var sum float64
	for y := range height {
		for x := range width {
			d := float64(a[y*strideA+x]) - float64(b[y*strideB+x])
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255*float64(width*height)/sum)
}

func fill(plane []byte, stride, width, height int, at func(x, y float64) float64) {
	for y := range height {
		for x := range width {
			plane[y*stride+x] = byte(min(max(at(float64(x)/float64(width), float64(y)/float64(height)), 16), 235))
		}
	}
}
