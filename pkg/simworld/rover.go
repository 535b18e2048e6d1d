package simworld

import (
	"math"
	"time"
)

// The rover: two driven wheels, and a round body around the middle between them.
const (
	Radius    = 0.14 // of the body, metres
	WheelBase = 0.2  // between the wheels, metres
	MaxSpeed  = 0.8  // of a wheel at MaxDuty, metres per second
	MaxDuty   = 255
)

const (
	// step is how long the rover moves between checks for walls. It moves 8 mm in that time, far less
	// than its radius, so it cannot pass through one.
	step = 10 * time.Millisecond
	// longest is the longest time that one Move takes.
	longest = time.Second
	// touch is how near a wall presses the bumper. It hides rounding.
	touch = 0.0005
	// slack is how far rounding may bring the rover into a wall.
	slack = 1e-9
)

// Speed is how fast a wheel runs at a PWM duty of -MaxDuty to MaxDuty, in metres per second.
func Speed(duty int) float64 {
	return float64(max(-MaxDuty, min(MaxDuty, duty))) * MaxSpeed / MaxDuty
}

// Move returns where a rover gets when its wheels run at the given speeds, in metres per second, for
// some time. Obstacles stop it, or make it slide along them; turning is always possible. bumped reports
// whether it touches something at the end.
//
// Speeds above MaxSpeed count as MaxSpeed, NaN as 0, and more than a second as one second.
func (w *World) Move(p Pose, left, right float64, dt time.Duration) (moved Pose, bumped bool) {
	left, right = wheel(left), wheel(right)
	n := int((min(dt, longest) + step - 1) / step)
	for range n {
		p = w.step(p, left, right, min(dt, longest).Seconds()/float64(n))
	}
	return p, w.clearance(p.X, p.Y) < Radius+touch
}

// wheel is a speed that a wheel can have.
func wheel(speed float64) float64 {
	if math.IsNaN(speed) {
		return 0
	}
	return max(-MaxSpeed, min(MaxSpeed, speed))
}

// step moves along an arc, and then out of any obstacle.
func (w *World) step(p Pose, left, right, seconds float64) Pose {
	forward, turn := (left+right)/2*seconds, (right-left)/WheelBase*seconds
	if forward != 0 {
		// The chord of an arc points half way between the headings at its ends.
		sin, cos := math.Sincos(p.Heading + turn/2)
		chord := forward
		if turn != 0 {
			chord *= math.Sin(turn/2) / (turn / 2)
		}
		p.X, p.Y = w.pushOut(p.X, p.Y, p.X+chord*cos, p.Y+chord*sin)
	}
	if turn != 0 {
		p.Heading = normal(p.Heading + turn)
	}
	return p
}

// pushOut moves the rover out of the nearest solid cell and then out of the next, as in a corner. If
// that does not help, it stays where it was.
func (w *World) pushOut(fromX, fromY, x, y float64) (float64, float64) {
	for range 4 {
		nx, ny := w.nearest(x, y)
		distance := math.Hypot(x-nx, y-ny)
		switch {
		case distance >= Radius-slack:
			return x, y
		case distance == 0:
			return fromX, fromY
		}
		x, y = nx+(x-nx)/distance*Radius, ny+(y-ny)/distance*Radius
	}
	if w.clearance(x, y) >= Radius-slack {
		return x, y
	}
	return fromX, fromY
}

// Free reports whether there is room for a rover.
func (w *World) Free(p Pose) bool { return w.clearance(p.X, p.Y) >= Radius-slack }

// clearance is the distance to the nearest solid cell, as far as it matters to a rover.
func (w *World) clearance(x, y float64) float64 {
	nx, ny := w.nearest(x, y)
	return math.Hypot(x-nx, y-ny)
}

// nearest is the nearest point of a solid cell, among the cell of the given point and those around it:
// anything farther than a cell is beyond a rover's radius. It is far away if there is none.
func (w *World) nearest(x, y float64) (nx, ny float64) {
	column, row := int(math.Floor(x/CellSize)), int(math.Floor(y/CellSize))
	best := math.Inf(1)
	nx, ny = math.Inf(1), math.Inf(1)
	for r := row - 1; r <= row+1; r++ {
		for c := column - 1; c <= column+1; c++ {
			if !w.Cell(c, r).Solid() {
				continue
			}
			cx := max(float64(c)*CellSize, min(float64(c+1)*CellSize, x))
			cy := max(float64(r)*CellSize, min(float64(r+1)*CellSize, y))
			if d := (x-cx)*(x-cx) + (y-cy)*(y-cy); d < best {
				best, nx, ny = d, cx, cy
			}
		}
	}
	return nx, ny
}
