package sim

import (
	"math"

	"github.com/waldo-robot/waldo/pkg/media"
)

// The floor is painted by walking along a row of the picture in equal steps on the map. Places are counted in 1/2^24 m
// and wrap around every 256 m, which repeats textures correctly.
const metre = 1 << 24

func (f *front) paintFloor(img *media.I420, row int, s span, e eyes) {
	distance := eye * f.focal / (float64(row) + 0.5 - f.horizon)
	aside, step := f.aside(s.from)*distance, distance/f.focal // metres: to the first pixel, and from one to the next
	g := ground{
		x: units(e.x + distance*e.cos + aside*e.sin), y: units(e.y + distance*e.sin - aside*e.cos),
		stepX: units(step * e.sin), stepY: units(-step * e.cos),
		clear: int(256 * math.Exp(-distance/haze)), air: f.air, light: f.light,
	}
	// Seen at so flat an angle, what a pixel shows is much deeper than it is wide: a size in between decides.
	texels := detail * 1.5 * step * math.Sqrt(distance/eye)
	g.paintLuma(img.Y[row*img.StrideY:][s.from:s.to], f.floor, texels)
	if row&1 == 0 {
		from, to := row/2*img.StrideC+s.from/2, row/2*img.StrideC+(s.to+1)/2
		g.stepX, g.stepY = 2*g.stepX, 2*g.stepY
		g.paintChroma(img.U[from:to], img.V[from:to], f.floor, 2*texels)
	}
}

func units(metres float64) uint32 { return uint32(int64(metres * metre)) }

// ground is a row of floor.
type ground struct {
	x, y, stepX, stepY uint32
	clear              int
	air                colour
	light              []byte
}

func (g ground) paintLuma(row []byte, t *texture, texels float64) {
	l, n := t.at(texels)
	const toLight = 24 - 6 // 64 to a metre
	shift, mask := 24-detailBits+n, uint32(l.columns-1)
	rows := detailBits - n
	pixels, lights := l.y[:l.columns*l.columns], g.light[:lightSize*lightSize]
	base := 16*g.clear + int(g.air.y)*(256-g.clear)
	x, y := g.x, g.y
	for i := range row {
		texel := int(pixels[(x>>shift&mask)<<rows|^(y>>shift)&mask]) - 16
		shade := int(lights[(y>>toLight&(lightSize-1))<<lightBits|x>>toLight&(lightSize-1)])
		row[i] = byte((texel*shade/bright*g.clear + base) >> 8)
		x += g.stepX
		y += g.stepY
	}
}

func (g ground) paintChroma(u, v []byte, t *texture, texels float64) {
	l, n := t.at(texels)
	shift, mask := 24-detailBits+n, uint32(l.columns-1)
	rows := detailBits - n
	us, vs := l.u[:l.columns*l.columns], l.v[:l.columns*l.columns]
	airU, airV := int(g.air.u)*(256-g.clear), int(g.air.v)*(256-g.clear)
	x, y := g.x, g.y
	for i := range u {
		at := (x>>shift&mask)<<rows | ^(y>>shift)&mask
		u[i] = byte((int(us[at])*g.clear + airU) >> 8)
		v[i] = byte((int(vs[at])*g.clear + airV) >> 8)
		x += g.stepX
		y += g.stepY
	}
}
