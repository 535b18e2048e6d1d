package sim

import (
	"math"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/simworld"
)

// above paints a map of the room with the rover, what its camera sees, and where it came from. North is at the top.
type above struct {
	canvas
	background *media.I420
}

func newAbove(world *simworld.World, width, height int) *above {
	const margin = 0.1 // metres
	w, h := world.Size()
	scale := min(float64(width)/(w+2*margin), float64(height)/(h+2*margin))
	a := &above{
		canvas:     canvas{scale: scale, left: (float64(width) - w*scale) / 2, bottom: (float64(height) + h*scale) / 2},
		background: media.NewI420(width, height),
	}
	a.paintRoom(world)
	return a
}

// paintRoom paints what never changes.
func (a *above) paintRoom(world *simworld.World) {
	img, materials, light := a.background, looks(), light(world)
	width, height := world.Size()
	outside := dark.times(0.8)
	at := func(column, row float64) colour {
		x, y := a.place(column, row)
		material := world.At(x, y)
		switch {
		case x < 0 || y < 0 || x >= width || y >= height:
			return outside.yuv()
		case material.Solid():
			return materials[material].top.times(wallTop(world, x, y)).yuv()
		}
		lit := light[int(y*lightRes)<<lightBits|int(x*lightRes)]
		return parquet(x, y).times(float64(lit) / bright).yuv()
	}
	for row := range img.Height {
		for column := range img.Width {
			img.Y[row*img.StrideY+column] = at(float64(column)+0.5, float64(row)+0.5).y
		}
	}
	for row := range img.ChromaHeight() {
		for column := range img.ChromaWidth() {
			c := at(float64(2*column)+1, float64(2*row)+1)
			img.U[row*img.StrideC+column], img.V[row*img.StrideC+column] = c.u, c.v
		}
	}
}

// wallTop is the brightness of a wall's top: its edges are brighter toward the light, and darker away from it.
func wallTop(world *simworld.World, x, y float64) float64 {
	const edge = 0.03
	switch {
	case !world.At(x-edge, y).Solid() || !world.At(x, y+edge).Solid():
		return 1.2
	case !world.At(x+edge, y).Solid() || !world.At(x, y-edge).Solid():
		return 0.7
	}
	return 1
}

// Colours of the moving things on the map.
var (
	bodyColour  = rgb{0.96, 0.96, 0.94}.yuv()
	bumpColour  = rgb{0.90, 0.25, 0.20}.yuv()
	noseColour  = rgb{0.10, 0.45, 0.85}.yuv()
	inkColour   = rgb{0.12, 0.13, 0.16}.yuv()
	trailColour = rgb{0.10, 0.45, 0.85}.yuv()
	beamColour  = rgb{1, 0.97, 0.75}.yuv()
)

func (a *above) paint(img *media.I420, m moment) {
	img.Copy(a.background)
	for i, p := range m.trail {
		strength := 0.15 + 0.6*float64(i+1)/float64(len(m.trail))
		a.shape(img, simworld.Pose{X: p.x, Y: p.y}, 0.03, trailColour, func(x, y float64) float64 {
			return strength * a.edge(0.025-math.Hypot(x, y))
		})
	}
	a.paintBeam(img, m.pose)
	a.paintRover(img, m)
}

// paintBeam brightens what the camera sees, less so with distance.
func (a *above) paintBeam(img *media.I420, p simworld.Pose) {
	const reach = 1.2
	sin, cos := math.Sincos(angle / 2)
	a.shape(img, p, reach, beamColour, func(x, y float64) float64 {
		inside := a.edge(x*sin - math.Abs(y)*cos)
		return 0.45 * inside * (1 - smooth(0.1, reach, math.Hypot(x, y)))
	})
}

func (a *above) paintRover(img *media.I420, m moment) {
	const r = simworld.Radius
	body := bodyColour
	if m.bumped {
		body = bumpColour
	}
	a.shape(img, m.pose, r+0.02, inkColour, func(x, y float64) float64 { return a.edge(r - math.Hypot(x, y)) })
	a.shape(img, m.pose, r, body, func(x, y float64) float64 { return a.edge(r - 0.018 - math.Hypot(x, y)) })
	a.shape(img, m.pose, r, inkColour, func(x, y float64) float64 { // wheels
		return a.edge(min(0.04-math.Abs(x), 0.015-math.Abs(math.Abs(y)-simworld.WheelBase/2+0.01)))
	})
	a.shape(img, m.pose, r, noseColour, func(x, y float64) float64 { // an arrow
		return a.edge(min(x+0.045-math.Abs(y)*0.35, (0.1-x)*0.5-math.Abs(y)))
	})
}

// canvas maps places of the world to points of a picture.
type canvas struct {
	scale        float64 // pixels to a metre
	left, bottom float64 // of the world's origin, in pixels
}

// place returns the place of the world at a point of the picture.
func (c canvas) place(column, row float64) (x, y float64) {
	return (column - c.left) / c.scale, (c.bottom - row) / c.scale
}

// point returns the point of the picture at a place of the world.
func (c canvas) point(x, y float64) (column, row float64) {
	return c.left + x*c.scale, c.bottom - y*c.scale
}

// edge is how much of a pixel is covered if its middle is this far inside a shape, in metres.
func (c canvas) edge(inside float64) float64 { return max(0, min(1, inside*c.scale+0.5)) }

// shape paints a shape in one colour. cover gives the coverage of places as seen from a pose: x forward, y to the left,
// none farther away than reach.
func (c canvas) shape(img *media.I420, p simworld.Pose, reach float64, with colour, cover func(x, y float64) float64) {
	sin, cos := math.Sincos(p.Heading)
	at := func(column, row float64) float64 {
		x, y := c.place(column, row)
		x, y = x-p.X, y-p.Y
		return cover(x*cos+y*sin, y*cos-x*sin)
	}
	column, row := c.point(p.X, p.Y)
	size := reach*c.scale + 1
	within := func(v float64, limit int) int { return int(max(0, min(float64(limit), v/2))) }
	left, right := within(column-size, img.ChromaWidth()), within(column+size+2, img.ChromaWidth())
	top, end := within(row-size, img.ChromaHeight()), within(row+size+2, img.ChromaHeight())
	for y := 2 * top; y < min(2*end, img.Height); y++ {
		line := img.Y[y*img.StrideY:]
		for x := 2 * left; x < min(2*right, img.Width); x++ {
			line[x] = blend(line[x], with.y, at(float64(x)+0.5, float64(y)+0.5))
		}
	}
	for y := top; y < end; y++ {
		us, vs := img.U[y*img.StrideC:], img.V[y*img.StrideC:]
		for x := left; x < right; x++ {
			part := at(float64(2*x)+1, float64(2*y)+1)
			us[x], vs[x] = blend(us[x], with.u, part), blend(vs[x], with.v, part)
		}
	}
}

// blend mixes a part of another value in.
func blend(old, with byte, part float64) byte {
	return byte(float64(old) + (float64(with)-float64(old))*part + 0.5)
}
