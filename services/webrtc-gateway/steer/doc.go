// Package steer decides what a camera encodes, and what each viewer gets of it, from what is known of the paths to all
// of them.
//
// A camera's stream is encoded once for all viewers. Its bit rate follows one of them: the driver of the robot (see
// [Drivers]) or, if nobody drives, a viewer near the lower end of those whose paths work, but never the slowest of
// several. So a bad link of somebody who only watches changes nothing for the others. A viewer that cannot receive the
// stream at that rate gets its small version: a second encode, shared by all such viewers, which is kept for 30 s after
// the last of them. A viewer that cannot even receive that gets only key frames.
//
// A driver never gets the small version of the camera that they must see: that one follows them down to the lowest bit
// rate that an encoder can be given. When their path is full, the encoder pauses at once and skips pictures rather than
// let them queue on the path; no key frame is needed afterwards.
//
// If several videos take one path they share it: the camera that a driver must see takes what it needs first, and all
// others equal parts of what is left.
//
// # Parts
//
// The rules are pure: policy takes the time and the readings of all paths, and decides what each camera and viewer
// should have. A [Steering] applies them four times a second, and as soon as a path that a stream follows has changed.
// It tells the cameras their limits, which it renews every second, and the tracks which stream to send. A camera that
// takes no limits, because its hardware compresses, is asked again only after half a minute.
//
// # Concurrency and shutdown
//
// Steering, Viewer and Drivers are safe for concurrent use. A Steering owns one goroutine, and one more for each stream
// that it limits; [Steering.Close] lifts the limits and returns when all have ended. The limits of a gateway that is
// killed lapse after three seconds.
package steer
