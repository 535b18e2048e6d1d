package testcard

import (
	"image"
	"math"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
)

// colour is a colour in BT.601 video range.
type colour struct{ y, u, v byte }

var (
	ground = colour{34, 132, 125} // a dark, slightly blue grey
	grid   = colour{52, 132, 125}
	panel  = colour{24, 130, 126}
	ink    = byte(214) // luma of text
	faint  = byte(150) // luma of lines and the name

	// bars are the usual seven colour bars at 75 %.
	bars = []colour{{180, 128, 128}, {162, 44, 142}, {131, 156, 44}, {112, 72, 58}, {84, 184, 198}, {65, 100, 212},
		{35, 212, 114}}
)

const rampSteps = 16

// painter paints on a picture. Rectangles must have even corners and lie inside it.
type painter struct{ img *media.I420 }

func (p painter) fill(r image.Rectangle, c colour) {
	fillPlane(p.img.Y, p.img.StrideY, r, c.y)
	half := image.Rect(r.Min.X/2, r.Min.Y/2, (r.Max.X+1)/2, (r.Max.Y+1)/2)
	fillPlane(p.img.U, p.img.StrideC, half, c.u)
	fillPlane(p.img.V, p.img.StrideC, half, c.v)
}

func fillPlane(plane []byte, stride int, r image.Rectangle, v byte) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := plane[y*stride+r.Min.X : y*stride+r.Max.X]
		for i := range row {
			row[i] = v
		}
	}
}

// frame paints everything that never changes and needs no font.
func (p painter) frame(l layout) {
	p.fill(l.bounds, ground)
	p.grid(l)
	p.steps(l.bars, len(bars), func(i int) colour { return bars[i] })
	p.steps(l.ramp, rampSteps, func(i int) colour { return colour{byte(16 + (235-16)*i/(rampSteps-1)), 128, 128} })
	p.fill(l.circle, panel)
	p.circle(l.circle)
}

// grid divides the whole card into squares, 16 across.
func (p painter) grid(l layout) {
	step := max(8, l.bounds.Dx()/16&^1)
	for x := 0; x+2 <= l.bounds.Dx(); x += step {
		p.fill(image.Rect(x, 0, x+2, l.bounds.Dy()), grid)
	}
	for y := 0; y+2 <= l.bounds.Dy(); y += step {
		p.fill(image.Rect(0, y, l.bounds.Dx(), y+2), grid)
	}
}

// steps fills r with n columns side by side.
func (p painter) steps(r image.Rectangle, n int, paint func(i int) colour) {
	edge := func(i int) int { return r.Min.X + r.Dx()*i/n&^1 }
	for i := range n {
		p.fill(image.Rect(edge(i), r.Min.Y, edge(i+1), r.Max.Y), paint(i))
	}
}

// circle draws an antialiased ring with a cross in the square r: a pixel is as bright as the line covers it.
func (p painter) circle(r image.Rectangle) {
	cx, cy, radius := ring(r)
	width := max(1, radius/40)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := p.img.Y[y*p.img.StrideY:]
		for x := r.Min.X; x < r.Max.X; x++ {
			dx, dy := float64(x)+.5-cx, float64(y)+.5-cy
			fromRing := math.Abs(math.Hypot(dx, dy) - radius)
			fromCross := max(min(math.Abs(dx), math.Abs(dy)), math.Hypot(dx, dy)-radius)
			row[x] = blend(row[x], faint, max(width-fromRing, width/2-fromCross)+.5)
		}
	}
}

func ring(r image.Rectangle) (cx, cy, radius float64) {
	return float64(r.Min.X+r.Max.X) / 2, float64(r.Min.Y+r.Max.Y) / 2, float64(r.Dx()) * .42
}

// dot paints a filled circle on the ring, at the tip of a hand that turns once in two seconds.
func (p painter) dot(r image.Rectangle, at time.Time) {
	cx, cy, radius := ring(r)
	const turn = 2_000_000
	angle := 2 * math.Pi * float64(at.UnixMicro()%turn) / turn
	cx, cy = cx+radius*math.Sin(angle), cy-radius*math.Cos(angle)
	size := max(1.5, radius/8)
	box := image.Rect(int(cx-size-1), int(cy-size-1), int(cx+size+2), int(cy+size+2)).Intersect(r)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		row := p.img.Y[y*p.img.StrideY:]
		for x := box.Min.X; x < box.Max.X; x++ {
			row[x] = blend(row[x], 235, size-math.Hypot(float64(x)+.5-cx, float64(y)+.5-cy)+.5)
		}
	}
}

// blend mixes luma b over a; cover 0 or less gives a, 1 or more gives b.
func blend(a, b byte, cover float64) byte {
	cover = min(1, max(0, cover))
	return byte(float64(a) + (float64(b)-float64(a))*cover + .5)
}
