package sim

import (
	"math"

	"github.com/waldo-robot/waldo/pkg/simworld"
)

// The light map of the floor: a square wider than the room, with its texels per side and per metre.
const (
	lightBits = 9
	lightSize = 1 << lightBits
	lightRes  = 64
	// bright is the value of unshaded floor.
	bright = 128
)

// light is the brightness of the floor everywhere, row by row from the south: darker beside walls and boxes, where less
// light gets, and with a ring painted where the rover starts.
func light(w *simworld.World) []byte {
	shade := make([]float32, lightSize*lightSize)
	for row := range lightSize {
		for column := range lightSize {
			// Light comes from the north-west, so shadows are a little to the other side.
			x, y := (float64(column)+0.5)/lightRes-0.06, (float64(row)+0.5)/lightRes+0.06
			if w.At(x, y).Solid() {
				shade[row*lightSize+column] = 1
			}
		}
	}
	for range 2 {
		blur(shade, 1, lightSize)
		blur(shade, lightSize, 1)
	}
	out := make([]byte, len(shade))
	start := w.Start()
	for i, s := range shade {
		x, y := (float64(i%lightSize)+0.5)/lightRes, (float64(i/lightSize)+0.5)/lightRes
		v := 1 - 0.62*float64(s)
		v *= 1 + 0.3*ring(math.Hypot(x-start.X, y-start.Y))
		out[i] = byte(min(255, v*bright))
	}
	return out
}

// ring is 1 on the mark around the start, by distance from its middle.
func ring(distance float64) float64 {
	const radius, width = 0.24, 0.05
	return 1 - smooth(width/2-0.01, width/2+0.01, math.Abs(distance-radius))
}

// blur replaces each value by the mean of those within 0.14 m before and after it. Lines of values are lineStep apart,
// values on a line step.
func blur(values []float32, step, lineStep int) {
	const reach = 9
	var line [lightSize]float32
	for l := range lightSize {
		at := l * lineStep
		var sum float32
		for i := -reach; i < lightSize; i++ {
			if i+reach < lightSize {
				sum += values[at+(i+reach)*step]
			}
			if i-reach-1 >= 0 {
				sum -= values[at+(i-reach-1)*step]
			}
			if i >= 0 {
				line[i] = sum / (2*reach + 1)
			}
		}
		for i, v := range line {
			values[at+i*step] = v
		}
	}
}
