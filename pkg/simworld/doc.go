// Package simworld is the small world in which the simulated rover drives: a room with walls, pillars and boxes, and what the rover's
// wheels make of it there. The simulated board moves in it, and the simulated camera looks at it; both know the same
// map, so neither has to ask the other for more than the rover's odometry.
//
// # Coordinates
//
// A [Pose] is in metres and radians: x to the right of the map, y up, heading 0 along x and counterclockwise positive. The board
// speaks of [Odometry] instead, in millimetres and milliradians as seen from where it was switched on, which is [World.Start].
//
// # Promises
//
// A rover that is somewhere free stays in free space whatever its wheels do: it slides along what it touches, or stops. Everything
// is computed from the arguments alone, so the same drive ends at the same place.
//
// A World never changes, so it is safe for concurrent use. The package starts no goroutines and needs no closing.
package simworld
