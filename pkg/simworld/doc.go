// Package simworld is the small world in which the simulated rover drives: a room with walls, pillars
// and boxes, and how the rover moves in it. The simulated board moves in it, and the simulated camera
// sees it; both know the same map, so all they need to share is the rover's odometry.
//
// # Coordinates
//
// A [Pose] is in metres and radians: x to the right of the map, y up, heading 0 along x and
// counterclockwise positive. The board reports [Odometry] instead, in millimetres and milliradians
// relative to where it was switched on, which is [World.Start].
//
// # Promises
//
// A rover in free space stays in free space whatever its wheels do: it slides along obstacles, or stops.
// Everything is computed from the arguments alone, so the same drive ends at the same place.
//
// A World never changes, so it is safe for concurrent use. The package starts no goroutines and needs no
// closing.
package simworld
