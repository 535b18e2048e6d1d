package sim

import "math"

// detail is the number of texels per metre of a texture. It is a power of two.
const (
	detailBits = 8
	detail     = 1 << detailBits
)

// pattern is the colour of a surface at a place, in metres: x along it, y up a wall, or north on the floor.
type pattern func(x, y float64) rgb

// texture is a pattern painted once, and again at half the size, a quarter and so on: distant surfaces are read from a
// small one, so that they do not shimmer. It repeats along x.
type texture struct {
	levels []level
}

// level is one size of a texture. Its texels are stored column by column, because walls are painted that way.
type level struct {
	columns, rows int // columns is a power of two
	y, u, v       []byte
}

// grain is the unevenness of all surfaces, from -1 to 1: a square metre that repeats.
type grain []float64

func newGrain() grain {
	g := make(grain, detail*detail)
	for i := range g {
		x, y := float64(i%detail)/detail, float64(i/detail)/detail
		g[i] = noise(x*16, y*16, 16) + noise(x*64, y*64, 64) - 1
	}
	return g
}

// newTexture paints a pattern of the given extent in metres, and makes it as rough as its material. Rows go down, as in
// pictures.
func newTexture(width, height float64, paint pattern, g grain, rough float64) *texture {
	l := newLevel(int(width*detail), int(math.Ceil(height*detail)))
	for column := range l.columns {
		for row := range l.rows {
			x, y := (float64(column)+0.5)/detail, height-(float64(row)+0.5)/detail
			c := paint(x, y).times(1 + rough*g[row%detail*detail+column]).yuv()
			i := column*l.rows + row
			l.y[i], l.u[i], l.v[i] = c.y, c.u, c.v
		}
	}
	t := &texture{levels: []level{l}}
	for l.columns > 1 && l.rows > 1 {
		l = l.half()
		t.levels = append(t.levels, l)
	}
	return t
}

func newLevel(columns, rows int) level {
	n := columns * rows
	all := make([]byte, 3*n)
	return level{columns: columns, rows: rows, y: all[:n], u: all[n : 2*n], v: all[2*n:]}
}

// half is the level at half the size, each texel the mean of four.
func (l level) half() level {
	h := newLevel(l.columns/2, (l.rows+1)/2)
	for _, plane := range []struct{ from, to []byte }{{l.y, h.y}, {l.u, h.u}, {l.v, h.v}} {
		for column := range h.columns {
			left, right := plane.from[2*column*l.rows:], plane.from[(2*column+1)*l.rows:]
			for row := range h.rows {
				a, b := 2*row, min(2*row+1, l.rows-1)
				plane.to[column*h.rows+row] = byte((int(left[a]) + int(left[b]) + int(right[a]) + int(right[b]) + 2) / 4)
			}
		}
	}
	return h
}

// at returns the level for a surface of which one pixel shows this many texels of the largest level, and the level's
// number.
func (t *texture) at(texels float64) (level, int) {
	i := 0
	for ; texels >= 1.5 && i < len(t.levels)-1; i++ {
		texels /= 2
	}
	return t.levels[i], i
}
