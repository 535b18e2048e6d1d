package codectest

import (
	"math"
	"math/rand/v2"
	"sync"

	"github.com/waldo-robot/waldo/pkg/media"
)

// Scene is what a camera on a robot sees that drives through grass: everything moves, and the sensor is noisy. Such
// pictures need several times the bits of a test card. It may be used by several goroutines.
type Scene struct {
	width, height int
	texture       []byte // of a ground of side x side
	noise         []byte
}

const sceneSide = 1024 // a power of two

var ground = sync.OnceValue(paintGround)

// NewScene makes a scene, always the same one, whose noise deviates so much, of 256, from what there is.
func NewScene(width, height int, noise float64) *Scene {
	r := rand.New(rand.NewPCG(13, 1))
	s := &Scene{width: width, height: height, texture: ground(), noise: make([]byte, 1<<16)}
	for i := range s.noise {
		s.noise[i] = byte(int(math.Round(r.NormFloat64() * noise)))
	}
	return s
}

// paintGround adds up waves of noise of all sizes, the larger the stronger.
func paintGround() []byte {
	r := rand.New(rand.NewPCG(13, 2))
	sum := make([]float64, sceneSide*sceneSide)
	for cell := 2; cell <= 128; cell *= 2 {
		n := sceneSide / cell
		grid := make([]float64, n*n)
		for i := range grid {
			grid[i] = r.NormFloat64()
		}
		for y := range sceneSide {
			for x := range sceneSide {
				fx, fy := float64(x)/float64(cell), float64(y)/float64(cell)
				x0, y0 := int(fx), int(fy)
				fx, fy = fx-float64(x0), fy-float64(y0)
				at := func(x, y int) float64 { return grid[(y%n)*n+x%n] }
				v := (at(x0, y0)*(1-fx)+at(x0+1, y0)*fx)*(1-fy) + (at(x0, y0+1)*(1-fx)+at(x0+1, y0+1)*fx)*fy
				sum[y*sceneSide+x] += v * 5 * math.Pow(float64(cell), 0.35)
			}
		}
	}
	texture := make([]byte, len(sum))
	for i, v := range sum {
		texture[i] = byte(min(max(128+v, 16), 235))
	}
	return texture
}

// Picture is what the camera sees in a picture of 30 a second: it goes ahead and turns slowly.
func (s *Scene) Picture(number int) *media.I420 {
	img := media.NewI420(s.width, s.height)
	// Sizes do not change what is seen, only how finely.
	step := 1280 / float64(s.width) * (1 + 0.25*math.Sin(float64(number)/40))
	dx, dy := 3.3*float64(number), 40*math.Sin(float64(number)/25)
	phase := number * 7919
	for y := range s.height {
		row := img.Y[y*img.StrideY:]
		sy := (int(float64(y)*step+dy) & (sceneSide - 1)) * sceneSide
		for x := range s.width {
			v := s.texture[sy+int(float64(x)*step+dx)&(sceneSide-1)]
			row[x] = v + s.noise[(phase+y*s.width+x*31)&(len(s.noise)-1)]
		}
	}
	for i := range img.U {
		img.U[i], img.V[i] = 120, 130
	}
	return img
}
