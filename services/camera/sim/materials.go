package sim

import (
	"math"

	"github.com/waldo-robot/waldo/pkg/simworld"
)

// look is how a material looks.
type look struct {
	side  pattern
	width float64 // period of side along the wall, in metres
	rough float64 // how uneven its brightness is
	top   rgb     // from above
}

var (
	white = rgb{0.93, 0.92, 0.89}
	dark  = rgb{0.16, 0.16, 0.18}
)

// looks are those of the solid materials.
func looks() map[simworld.Material]look {
	return map[simworld.Material]look{
		simworld.North:  {plaster(rgb{0.36, 0.55, 0.74}, rgb{0.55, 0.71, 0.85}), 1, 0.05, rgb{0.36, 0.55, 0.74}},
		simworld.East:   {bricks(rgb{0.72, 0.36, 0.27}), 1, 0.12, rgb{0.72, 0.36, 0.27}},
		simworld.South:  {panels(rgb{0.42, 0.58, 0.40}), 1, 0.05, rgb{0.42, 0.58, 0.40}},
		simworld.West:   {plaster(rgb{0.80, 0.60, 0.28}, rgb{0.90, 0.77, 0.50}), 1, 0.05, rgb{0.80, 0.60, 0.28}},
		simworld.Inner:  {tiles(rgb{0.80, 0.77, 0.72}), 1, 0.03, rgb{0.74, 0.71, 0.66}},
		simworld.Red:    {slanted(rgb{0.80, 0.20, 0.18}, white), 0.5, 0.05, rgb{0.80, 0.20, 0.18}},
		simworld.Green:  {fluted(rgb{0.16, 0.55, 0.36}), 0.5, 0.04, rgb{0.16, 0.55, 0.36}},
		simworld.Blue:   {rings(rgb{0.20, 0.34, 0.72}, white), 0.5, 0.05, rgb{0.20, 0.34, 0.72}},
		simworld.Yellow: {slanted(rgb{0.93, 0.75, 0.16}, dark), 0.5, 0.05, rgb{0.93, 0.75, 0.16}},
		simworld.Violet: {checks(rgb{0.50, 0.28, 0.62}, white), 0.5, 0.05, rgb{0.50, 0.28, 0.62}},
		simworld.Crate:  {planks(rgb{0.70, 0.52, 0.33}), 0.5, 0.02, rgb{0.66, 0.49, 0.31}},
	}
}

// foot is the shade where a wall meets the floor.
func foot(y float64) float64 { return 0.72 + 0.28*smooth(0, 0.22, y) }

// line is 1 in the middle of a line of some width, 0 beside it, and in between at its edges.
func line(distance, width float64) float64 {
	return 1 - smooth(width/2-0.5/detail, width/2+1.0/detail, math.Abs(distance))
}

// off is the distance to the nearest multiple of step, negative below it.
func off(v, step float64) float64 { return v - step*math.Round(v/step) }

// skirting is the board along the foot of a wall.
func skirting(c rgb, y float64) rgb {
	const height = 0.07
	c = c.toward(white.times(0.88), smooth(height+0.004, height, y))
	return c.times(1 - 0.35*line(y-height, 0.008))
}

// plaster is a painted wall, lighter above a rail.
func plaster(below, above rgb) pattern {
	const rail = 0.45
	return func(x, y float64) rgb {
		c := below.toward(above, smooth(rail, rail+0.004, y))
		c = c.toward(white, line(y-rail, 0.03)).times(1 - 0.25*line(y-rail+0.02, 0.01))
		c = c.times(1 - 0.10*line(off(x, 0.5), 0.008)) // joints show how fast the rover passes
		return skirting(c, y).times(foot(y))
	}
}

func bricks(c rgb) pattern {
	const wide, high = 0.25, 0.1
	mortar := rgb{0.76, 0.70, 0.64}
	return func(x, y float64) rgb {
		row := int(math.Floor(y / high))
		x += wide / 2 * float64(row&1)
		brick := c.times(0.86 + 0.28*hash(int(math.Floor(x/wide))%4, row))
		joint := max(line(off(x, wide), 0.012), line(off(y, high), 0.012))
		return brick.toward(mortar, 0.8*joint).times(foot(y))
	}
}

func panels(c rgb) pattern {
	return func(x, y float64) rgb {
		at := off(x, 0.5)
		panel := c
		if math.Abs(at) < 0.20 && y > 0.14 && y < 0.68 {
			panel = panel.times(1.13)
		}
		edge := max(line(math.Abs(at)-0.20, 0.012), line(y-0.14, 0.012), line(y-0.68, 0.012))
		if math.Abs(at) < 0.206 && y > 0.13 && y < 0.69 {
			panel = panel.times(1 - 0.35*edge)
		}
		return skirting(panel, y).times(foot(y))
	}
}

func tiles(c rgb) pattern {
	const side = 0.125
	return func(x, y float64) rgb {
		tile := c.times(0.93 + 0.14*hash(int(math.Floor(x/side)), int(math.Floor(y/side))))
		joint := max(line(off(x, side), 0.008), line(off(y, side), 0.008))
		return tile.times(1 - 0.22*joint).times(foot(y))
	}
}

// slanted is a pillar with bands that climb around it.
func slanted(a, b rgb) pattern {
	const step = 0.5
	return func(x, y float64) rgb {
		part := math.Abs(off(x-y, step)) / step // 0 to 0.5
		return a.toward(b, smooth(0.25-0.004, 0.25+0.004, part)).times(foot(y))
	}
}

// fluted is a pillar with grooves.
func fluted(c rgb) pattern {
	return func(x, y float64) rgb {
		groove := 0.5 + 0.5*math.Cos(2*math.Pi*x/0.0625)
		return c.times((0.72 + 0.34*groove) * foot(y))
	}
}

// rings is a pillar with bands around it.
func rings(a, b rgb) pattern {
	return func(_, y float64) rgb {
		ring := line(off(y-0.2, 0.3), 0.09)
		return a.toward(b, ring).times(foot(y))
	}
}

// checks is a pillar with squares.
func checks(a, b rgb) pattern {
	const side = 0.125
	return func(x, y float64) rgb {
		c := a
		if (int(math.Floor(x/side))+int(math.Floor(y/side)))&1 != 0 {
			c = b
		}
		return c.times(foot(y))
	}
}

// planks is the side of a crate, 0.25 m wide.
func planks(c rgb) pattern {
	const side, frame = 0.25, 0.035
	top := simworld.Crate.Height()
	return func(x, y float64) rgb {
		row := math.Floor(y / 0.095)
		wood := c.times((0.84 + 0.2*hash(int(row), 7)) * (0.94 + 0.12*noise(x*4, y*90, 64)))
		wood = wood.times(1 - 0.45*line(off(y, 0.095), 0.006))
		edge := math.Abs(off(x, side))
		if edge < frame || y < frame || y > top-frame {
			wood = c.times(1.12 * (0.94 + 0.12*noise(x*50, y*4, 64)))
		}
		border := max(line(edge-frame, 0.006), line(y-frame, 0.006), line(y-top+frame, 0.006))
		return wood.times((1 - 0.4*border) * foot(y))
	}
}

// parquetRough is how uneven the brightness of the floor is.
const parquetRough = 0.04

// parquet is the floor: tiles of half a metre in two tones, with a period of a metre. The rover starts in the middle of
// one.
func parquet(x, y float64) rgb {
	const side = 0.5
	x, y = x+side/2, y+side/2
	column, row := int(math.Floor(x/side)), int(math.Floor(y/side))
	c := rgb{0.66, 0.63, 0.58}
	if (column+row)&1 != 0 {
		c = rgb{0.50, 0.53, 0.55}
	}
	joint := max(line(off(x, side), 0.012), line(off(y, side), 0.012))
	return c.times((0.97 + 0.06*hash(column&1, row&1)) * (1 - 0.22*joint))
}
