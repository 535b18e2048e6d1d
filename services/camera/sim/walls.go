package sim

import (
	"math"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/simworld"
)

// paintWalls paints the walls that a ray meets, nearest first. A farther wall is visible only above a nearer one,
// because the eye is lower than all of them.
func (f *front) paintWalls(img *media.I420, column int, ray simworld.Ray) {
	top := f.height // everything below is painted already
	for ray.Next() {
		distance := max(ray.Distance, nearest)
		scale := f.focal / distance // pixels to a metre
		if f.row(f.horizon-(simworld.MaxHeight-eye)*scale) >= top {
			return // at this distance and beyond, nothing is tall enough to be visible
		}
		from, to := f.row(f.horizon-(f.heights[ray.Material]-eye)*scale), min(top, f.row(f.horizon+eye*scale))
		if from >= to {
			continue
		}
		s := strip{
			texture: f.walls[ray.Material], along: ray.Along, scale: scale,
			top: f.horizon - (f.heights[ray.Material]-eye)*scale, look: f.tone(ray.Face, distance),
		}
		s.paint(img, column, from, to)
		top = from
	}
}

// strip is a column of a wall in the picture.
type strip struct {
	texture *texture
	along   float64 // where on the wall, in metres
	top     float64 // row of the picture where the wall ends
	scale   float64 // pixels to a metre
	look    tone
}

// paint paints the strip's rows in luma, and every other column of the picture in chroma, which has half the size: it
// is painted like a wall twice as far away.
func (s strip) paint(img *media.I420, column, from, to int) {
	run := s.run(from, 1)
	run.paint(img.Y[column:], img.StrideY, from, to, run.level.y, s.look.factor, s.look.y)
	if column&1 != 0 {
		return
	}
	from, to = (from+1)/2, (to+1)/2
	run = s.run(2*from, 2)
	run.paint(img.U[column/2:], img.StrideC, from, to, run.level.u, s.look.factor, s.look.u)
	run.paint(img.V[column/2:], img.StrideC, from, to, run.level.v, s.look.factor, s.look.v)
}

// run begins at a row of the picture, for a plane of which one pixel is as wide as some of the picture.
func (s strip) run(row int, pixels float64) run {
	level, n := s.texture.at(pixels * detail / s.scale)
	column := int(math.Floor(s.along*detail)) & (s.texture.levels[0].columns - 1) >> n
	step := detail / s.scale / float64(int(1)<<n)
	return run{
		level: level, first: column * level.rows,
		row: int(max(0, (float64(row)+0.5-s.top)*step) * rowUnit), step: int(step * pixels * rowUnit),
	}
}

// rowUnit is the value of one texel on the way down a column.
const rowUnit = 1 << 16

// run is the way down a column of texels.
type run struct {
	level     level
	first     int // index of the column's first texel
	row, step int // in 1/rowUnit texels
}

// paint writes to a column of a plane.
func (r run) paint(plane []byte, stride, from, to int, texels []byte, factor, add int) {
	texels = texels[r.first : r.first+r.level.rows]
	row, last := r.row, (r.level.rows-1)*rowUnit
	for at, end := from*stride, to*stride; at < end; at += stride {
		plane[at] = byte((int(texels[min(row, last)/rowUnit])*factor + add) >> 8)
		row += r.step
	}
}

// tone is what light and air do to a colour: a factor and an offset, in 256ths.
type tone struct{ factor, y, u, v int }

// tone returns the tone of a wall's side at a distance.
func (f *front) tone(face simworld.Face, distance float64) tone {
	left := math.Exp(-distance / haze)
	factor := sun[face] * left
	add := func(air byte, neutral float64) int {
		return int(256 * (float64(air)*(1-left) + neutral*(left-factor)))
	}
	return tone{factor: int(256 * factor), y: add(f.air.y, 16), u: add(f.air.u, 128), v: add(f.air.v, 128)}
}
