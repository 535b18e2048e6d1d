package sim

import "math"

// rgb is a colour of light from 0 to 1; materials are described in it.
type rgb struct{ r, g, b float64 }

// times makes a colour darker or lighter.
func (c rgb) times(f float64) rgb { return rgb{c.r * f, c.g * f, c.b * f} }

// toward mixes a part of another colour in.
func (c rgb) toward(o rgb, part float64) rgb {
	return rgb{c.r + part*(o.r-c.r), c.g + part*(o.g-c.g), c.b + part*(o.b-c.b)}
}

// yuv converts the colour to that of pictures: BT.601, video range.
func (c rgb) yuv() colour {
	y := 0.299*c.r + 0.587*c.g + 0.114*c.b
	return colour{
		y: clamp(16+219*y, 16, 235),
		u: clamp(128+224*0.564*(c.b-y), 16, 240),
		v: clamp(128+224*0.713*(c.r-y), 16, 240),
	}
}

func clamp(v, low, high float64) byte { return byte(max(low, min(high, v)) + 0.5) }

// colour is a colour in video range.
type colour struct{ y, u, v byte }

// smooth goes from 0 to 1 while v goes from a to b, with soft ends.
func smooth(a, b, v float64) float64 {
	t := max(0, min(1, (v-a)/(b-a)))
	return t * t * (3 - 2*t)
}

// hash is a number from 0 to 1 that looks random and depends only on its arguments.
func hash(x, y int) float64 {
	h := uint32(x)*0x9E3779B1 ^ uint32(y)*0x85EBCA77
	h = (h ^ h>>15) * 0x2C1B3C6D
	h = (h ^ h>>12) * 0x297A2D39
	return float64(h^h>>15) / (1 << 32)
}

// noise is a smooth random surface from 0 to 1 with hills about 1 wide. It repeats every wrap in both directions.
func noise(x, y float64, wrap int) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int(fx), int(fy)
	tx, ty := smooth(0, 1, x-fx), smooth(0, 1, y-fy)
	at := func(i, j int) float64 { return hash((i%wrap+wrap)%wrap, (j%wrap+wrap)%wrap) }
	low := at(ix, iy) + tx*(at(ix+1, iy)-at(ix, iy))
	high := at(ix, iy+1) + tx*(at(ix+1, iy+1)-at(ix, iy+1))
	return low + ty*(high-low)
}
