package simworld

import "math"

// Pose is where the rover's middle is, in metres, and which way it faces, in radians.
type Pose struct {
	X, Y    float64
	Heading float64 // more than -π, at most π; counterclockwise positive
}

// Odometry is a pose as the board reports it: relative to where it was switched on, x forward and y to
// the left.
type Odometry struct {
	X, Y    int32 // millimetres
	Heading int16 // milliradians, -3142 to 3142
}

// Odometry is the pose as reported by a board that was switched on at the given start.
func (p Pose) Odometry(start Pose) Odometry {
	dx, dy := rotate(p.X-start.X, p.Y-start.Y, -start.Heading)
	return Odometry{
		X: int32(math.Round(dx * 1000)), Y: int32(math.Round(dy * 1000)),
		Heading: int16(math.Round(normal(p.Heading-start.Heading) * 1000)),
	}
}

// Pose is the pose of a rover whose board was switched on at the given start. It is exact to half a
// millimetre and half a milliradian.
func (o Odometry) Pose(start Pose) Pose {
	dx, dy := rotate(float64(o.X)/1000, float64(o.Y)/1000, start.Heading)
	return Pose{X: start.X + dx, Y: start.Y + dy, Heading: normal(start.Heading + float64(o.Heading)/1000)}
}

// rotate turns a vector counterclockwise.
func rotate(x, y, angle float64) (float64, float64) {
	sin, cos := math.Sincos(angle)
	return x*cos - y*sin, x*sin + y*cos
}

// normal brings an angle within ±π.
func normal(angle float64) float64 {
	if angle > -math.Pi && angle <= math.Pi {
		return angle
	}
	if angle = math.Remainder(angle, 2*math.Pi); angle == -math.Pi {
		return math.Pi
	}
	return angle
}
