// Package steer decides what a camera encodes, and what each viewer gets of it, from what is known of the paths to all
// of them.
//
// A stream of a camera is encoded once, whoever watches. Its bit rate follows one viewer: who drives the robot, see
// [Drivers]; where nobody drives, one at the lower end of those whose paths work, but never the slowest of several. A
// bad link of somebody who only watches therefore changes nothing for the others. Who cannot receive the stream at that
// rate gets its small version: a second encode, the same one for all such viewers, which lasts as long as somebody
// needs it and some seconds longer. Who cannot even receive that gets its key frames.
//
// A driver never gets the small version of the camera that they must see: that one follows them down to the lowest bit
// rate that an encoder can be given. When their path is full, the encoder pauses at once, and skips pictures rather
// than have them wait on the path; no key frame is needed after that.
//
// If several videos take one path they share it: the camera that a driver must see takes what it needs first, and all
// others equal parts of what is left.
//
// # Parts
//
// The rules are pure: policy gets the time and the readings of all paths, and says what should be. A [Steering] applies
// them as soon as a path has changed that a stream follows, and four times a second; it tells the cameras the limits,
// which it renews every second, and the tracks which stream to send. A camera that takes no limits (its hardware
// compresses) is left alone for half a minute.
//
// # Concurrency and shutdown
//
// Steering, Viewer and Drivers are safe for concurrent use. A Steering owns one goroutine, and one for each stream that
// somebody watches; [Steering.Close] lifts the limits and returns when all have ended. The limits of a gateway that is
// killed lapse after three seconds.
package steer
