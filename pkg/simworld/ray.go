package simworld

import "math"

// Face is the side of a cell on which a ray enters it.
type Face int

// Faces, by the direction in which they point.
const (
	FacesWest Face = iota
	FacesEast
	FacesSouth
	FacesNorth
)

// Ray travels through the map from cell to cell. It is a value, so it needs no allocation.
//
//	for ray := world.Ray(x, y, dx, dy); ray.Next(); {
//		… ray.Material, ray.Distance …
//	}
type Ray struct {
	Material Material // of the solid cell that the ray has entered
	Face     Face
	Distance float64 // to that cell, in lengths of the ray's direction
	Along    float64 // where on the face, in metres: x for faces to the south and north, y for the others

	world        *World
	x, y, dx, dy float64
	column, row  int
	nextX, nextY float64 // distances at which the next column and row begin
	perX, perY   float64 // distances from one column, and row, to the next
}

// Ray starts at a point and travels in a direction of any length but 0.
func (w *World) Ray(x, y, dx, dy float64) Ray {
	r := Ray{world: w, x: x, y: y, dx: dx, dy: dy}
	r.column, r.nextX, r.perX = axis(x, dx)
	r.row, r.nextY, r.perY = axis(y, dy)
	return r
}

// axis is the cell of a coordinate, how far it is to the next one, and how far from each to the next.
func axis(at, direction float64) (cell int, next, per float64) {
	cell = int(math.Floor(at / CellSize))
	switch {
	case direction > 0:
		return cell, (float64(cell+1)*CellSize - at) / direction, CellSize / direction
	case direction < 0:
		return cell, (float64(cell)*CellSize - at) / direction, -CellSize / direction
	}
	return cell, math.Inf(1), math.Inf(1)
}

// Next advances to the next solid cell. It reports false when the ray has left the map.
func (r *Ray) Next() bool {
	for {
		alongX := r.nextX < r.nextY
		if alongX {
			r.Distance = r.nextX
			r.nextX += r.perX
			r.column, r.Face = toward(r.column, r.dx, FacesWest)
		} else {
			r.Distance = r.nextY
			r.nextY += r.perY
			r.row, r.Face = toward(r.row, r.dy, FacesSouth)
		}
		if r.column < 0 || r.column >= r.world.columns || r.row < 0 || r.row >= r.world.rows {
			return false
		}
		if r.Material = r.world.cells[r.row*r.world.columns+r.column]; r.Material.Solid() {
			r.Along = r.x + r.dx*r.Distance
			if alongX {
				r.Along = r.y + r.dy*r.Distance
			}
			return true
		}
	}
}

// toward is the neighbour of a cell in a direction, and the face that the ray meets: the first of its
// axis when moving up.
func toward(cell int, direction float64, first Face) (int, Face) {
	if direction > 0 {
		return cell + 1, first
	}
	return cell - 1, first + 1
}
