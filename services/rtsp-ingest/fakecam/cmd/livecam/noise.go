package main

import (
	"math/rand/v2"

	"github.com/waldo-robot/waldo/pkg/media"
)

// The noise fills a block in the lower right corner, which makes pictures as large as those of a camera: without it the
// card needs a tenth of the bit rate.
const (
	noiseWidth, noiseHeight = 480, 272
	tiles                   = 16 // different pictures of noise
)

type noise [tiles][]byte

func newNoise() (n noise) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		n[i] = make([]byte, noiseWidth*noiseHeight)
		for j := range n[i] {
			n[i][j] = byte(96 + random.IntN(64))
		}
	}
	return n
}

// paint paints the noise of a picture.
func (n noise) paint(img *media.I420, count int64) {
	tile := n[count%tiles]
	left, top := img.Width-noiseWidth-16, img.Height-noiseHeight-16
	for y := range noiseHeight {
		copy(img.Y[(top+y)*img.StrideY+left:], tile[y*noiseWidth:(y+1)*noiseWidth])
	}
}
