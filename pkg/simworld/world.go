package simworld

import (
	"math"
	"strings"
)

// CellSize is the side of a cell of the map, in metres.
const CellSize = 0.25

// Material is what a cell of the map holds, by its letter in the plan.
type Material byte

// Materials. The walls around the room differ, so that viewers can tell which way the camera faces.
const (
	Floor  Material = '.'
	North  Material = 'n' // the wall at the top of the plan
	East   Material = 'e'
	South  Material = 's'
	West   Material = 'w'
	Inner  Material = 'i' // the wall between the two parts of the room
	Red    Material = 'R' // pillars
	Green  Material = 'G'
	Blue   Material = 'B'
	Yellow Material = 'Y'
	Violet Material = 'V'
	Crate  Material = 'c' // low enough to look over
)

// Materials lists all materials.
func Materials() []Material {
	return []Material{Floor, North, East, South, West, Inner, Red, Green, Blue, Yellow, Violet, Crate}
}

// Solid reports whether a rover cannot enter it.
func (m Material) Solid() bool { return m != Floor }

// MaxHeight is the height of the highest material, in metres.
const MaxHeight = 1.3

// Height is how far it stands up from the floor, in metres.
func (m Material) Height() float64 {
	switch m {
	case Floor:
		return 0
	case Red, Green, Blue, Yellow, Violet:
		return MaxHeight
	case Crate:
		return 0.38
	}
	return 0.8
}

// plan is the room seen from above, north at the top: 8 m by 6 m.
const plan = `
nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn
w..................i...........e
w..................i...........e
w..................i...........e
w..................i...YY......e
w.......GG.........i...YY......e
w.......GG.........i...........e
w..................i...........e
w............R.....i...........e
w..............................e
w..............................e
w..............................e
w........................cc....e
w........................cc....e
w..............................e
w............B.....i...........e
w..................i...........e
w..................i...........e
w......cc..........i.......VV..e
w......cc..........i.......VV..e
w...cc.............i...........e
w...cc.............i...........e
w..................i...........e
ssssssssssssssssssssssssssssssss
`

// World is a map of cells.
type World struct {
	columns, rows int
	cells         []Material // rows from the bottom of the plan to its top
}

// New returns the room.
func New() *World { return build(plan) }

// build reads a plan, whose lines have the same length.
func build(plan string) *World {
	lines := strings.Fields(plan)
	w := &World{columns: len(lines[0]), rows: len(lines)}
	for row := range w.rows {
		w.cells = append(w.cells, []Material(lines[w.rows-1-row])...)
	}
	return w
}

// Start is where the rover stands when it is switched on: in the larger part of the room, in front of
// the doorway.
func (w *World) Start() Pose { return Pose{X: 1, Y: 3} }

// Size is the extent of the map in metres.
func (w *World) Size() (width, height float64) {
	return float64(w.columns) * CellSize, float64(w.rows) * CellSize
}

// Cell is the material of a cell, counted from the bottom left. Outside the map everything is wall.
func (w *World) Cell(column, row int) Material {
	if column < 0 || column >= w.columns || row < 0 || row >= w.rows {
		return Inner
	}
	return w.cells[row*w.columns+column]
}

// At is the material at a point.
func (w *World) At(x, y float64) Material {
	return w.Cell(int(math.Floor(x/CellSize)), int(math.Floor(y/CellSize)))
}
