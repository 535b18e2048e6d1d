package sim

import (
	"math"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/simworld"
)

const (
	// eye is the height of the camera above the floor, in metres: lower than everything else, so no top of anything is
	// visible.
	eye = 0.16
	// angle is the camera's horizontal field of view.
	angle = 75 * math.Pi / 180
	// far is farther than any floor that is visible in the room, in metres.
	far = 12
	// nearest is the distance used for anything nearer, in metres.
	nearest = 0.01
	// haze is the distance at which the air takes away two thirds of a colour.
	haze = 30
)

// The sky beyond the walls: bright just above them, bluer higher up.
var (
	horizonColour = rgb{0.90, 0.90, 0.88}
	zenithColour  = rgb{0.52, 0.66, 0.82}
)

// sun is how much light falls on a side of a wall.
var sun = [...]float64{simworld.FacesWest: 1, simworld.FacesEast: 0.80, simworld.FacesSouth: 0.70,
	simworld.FacesNorth: 0.92}

// front paints what the rover's camera sees. It finds walls by following one ray for each column of the picture.
type front struct {
	world         *simworld.World
	width, height int
	focal         float64       // distance of the picture from the eye, in pixels
	horizon       float64       // row of everything at the height of the eye
	sky           []colour      // by row
	walls         [256]*texture // by material
	heights       [256]float64
	floor         *texture
	light         []byte
	air           colour
	spans         []span // by row, for the picture that is being painted
}

// span is the part of a row between two columns.
type span struct{ from, to int }

func newFront(world *simworld.World, width, height int) *front {
	g := newGrain()
	f := &front{
		world: world, width: width, height: height,
		focal: float64(width) / 2 / math.Tan(angle/2), horizon: float64(height) / 2,
		floor: newTexture(1, 1, parquet, g, parquetRough), light: light(world), air: horizonColour.yuv(),
	}
	for material, look := range looks() {
		f.walls[material] = newTexture(look.width, material.Height(), look.side, g, look.rough)
		f.heights[material] = material.Height()
	}
	f.sky, f.spans = make([]colour, height), make([]span, height)
	for row := range height {
		up := max(0, f.horizon-float64(row)) / f.focal
		f.sky[row] = horizonColour.toward(zenithColour, smooth(0.02, 0.55, up)).yuv()
	}
	return f
}

func (f *front) paint(img *media.I420, m moment) {
	e := newEyes(f, m.pose)
	f.findFloor(e)
	f.paintSky(img)
	for row, s := range f.spans {
		if s.from < s.to {
			f.paintFloor(img, row, s, e)
		}
	}
	for column := range f.width {
		f.paintWalls(img, column, e.ray(column))
	}
}

// eyes is the camera at a place.
type eyes struct {
	*front
	x, y     float64
	sin, cos float64
}

func newEyes(f *front, p simworld.Pose) eyes {
	e := eyes{front: f, x: p.X, y: p.Y}
	e.sin, e.cos = math.Sincos(p.Heading)
	return e
}

// aside is how far to the right a column of the picture looks, per metre ahead.
func (f *front) aside(column int) float64 {
	return (float64(column) + 0.5 - float64(f.width)/2) / f.focal
}

// ray is the direction in which a column of the picture looks; its length is one metre ahead.
func (e eyes) ray(column int) simworld.Ray {
	aside := e.aside(column)
	return e.world.Ray(e.x, e.y, e.cos+e.sin*aside, e.sin-e.cos*aside)
}

// findFloor finds the part of each row in which floor is visible, between or below the walls.
func (f *front) findFloor(e eyes) {
	for row := range f.spans {
		f.spans[row] = span{from: f.width}
	}
	for column := range f.width {
		base := f.row(f.horizon + eye/far*f.focal)
		if ray := e.ray(column); ray.Next() {
			base = max(base, f.row(f.horizon+eye*f.focal/max(ray.Distance, nearest)))
		}
		if base < f.height {
			s := &f.spans[base]
			s.from, s.to = min(s.from, column), max(s.to, column+1)
		}
	}
	for row := 1; row < f.height; row++ { // floor continues below
		s, above := &f.spans[row], f.spans[row-1]
		s.from, s.to = min(s.from, above.from), max(s.to, above.to)
	}
}

// row is the first row of the picture whose middle is at or below a height.
func (f *front) row(at float64) int {
	return int(max(0, min(float64(f.height), math.Ceil(at-0.5))))
}

// paintSky paints down to where the floor begins at the farthest distance, and on to the next even row.
func (f *front) paintSky(img *media.I420) {
	rows := min(f.height, f.row(f.horizon+eye/far*f.focal)+1)
	for row := range rows {
		fill(img.Y[row*img.StrideY:][:f.width], f.sky[row].y)
	}
	for row := range (rows + 1) / 2 {
		fill(img.U[row*img.StrideC:][:img.ChromaWidth()], f.sky[2*row].u)
		fill(img.V[row*img.StrideC:][:img.ChromaWidth()], f.sky[2*row].v)
	}
}

func fill(row []byte, v byte) {
	for i := range row {
		row[i] = v
	}
}
