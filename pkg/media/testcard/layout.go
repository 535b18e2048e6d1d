package testcard

import (
	"image"

	"github.com/waldo-robot/waldo/pkg/media/stamp"
)

// layout holds the positions of the parts of a card. All corners are even, so that luma and chroma areas
// coincide. Parts that do not fit are empty.
type layout struct {
	bounds  image.Rectangle
	name    image.Rectangle
	clock   image.Rectangle
	bars    image.Rectangle
	texture image.Rectangle
	moving  image.Rectangle // the part of texture that moves in an animated card
	circle  image.Rectangle
	ramp    image.Rectangle
}

// arrange places, from top to bottom: stamp, name and clock; the bars; texture and circle side by side;
// the ramp.
func arrange(width, height int) layout {
	margin := stamp.CellSize(width)
	if width < 160 || height < 96 {
		margin = 2
	}
	inner := image.Rect(margin, margin, width-margin, height-margin)
	stampWidth, top := stamp.Size(width, height)
	l := layout{bounds: image.Rect(0, 0, width, height)}
	if top > 0 {
		text := image.Rect(stampWidth, inner.Min.Y, inner.Max.X, top-margin)
		l.name, l.clock = split(text, 2, 5)
		inner.Min.Y = top
	}
	unit := inner.Dy()
	l.bars = image.Rect(inner.Min.X, inner.Min.Y, inner.Max.X, inner.Min.Y+unit*26/100)
	l.ramp = image.Rect(inner.Min.X, inner.Max.Y-unit*12/100, inner.Max.X, inner.Max.Y)
	middle := image.Rect(inner.Min.X, l.bars.Max.Y+margin, inner.Max.X, l.ramp.Min.Y-margin)
	side := min(middle.Dy(), middle.Dx()/2)
	l.circle = image.Rect(middle.Max.X-side, middle.Min.Y, middle.Max.X, middle.Min.Y+side)
	l.texture = image.Rect(middle.Min.X, middle.Min.Y, l.circle.Min.X-margin, middle.Max.Y)
	l.moving = band(l.texture)
	for _, r := range []*image.Rectangle{&l.name, &l.clock, &l.bars, &l.ramp, &l.circle, &l.texture, &l.moving} {
		*r = even(*r).Intersect(even(l.bounds))
	}
	return l
}

// band is the middle of r, just high enough to keep an encoder busy: more would only cost time.
func band(r image.Rectangle) image.Rectangle {
	const busy = 70_000 // pixels
	height := min(r.Dy(), max(r.Dy()*3/10, busy/max(1, r.Dx())))
	top := r.Min.Y + (r.Dy()-height)/2
	return image.Rect(r.Min.X, top, r.Max.X, top+height)
}

// split cuts r into an upper part of n/of of its height and the rest.
func split(r image.Rectangle, n, of int) (upper, lower image.Rectangle) {
	y := r.Min.Y + r.Dy()*n/of
	return image.Rect(r.Min.X, r.Min.Y, r.Max.X, y), image.Rect(r.Min.X, y, r.Max.X, r.Max.Y)
}

// even moves corners to even coordinates, inwards at the bottom right. A rectangle that this turns
// inside out becomes empty.
func even(r image.Rectangle) image.Rectangle {
	r.Min.X, r.Min.Y = (r.Min.X+1)&^1, (r.Min.Y+1)&^1
	r.Max.X, r.Max.Y = r.Max.X&^1, r.Max.Y&^1
	if r.Empty() || r.Min.X < 0 || r.Min.Y < 0 {
		return image.Rectangle{}
	}
	return r
}
