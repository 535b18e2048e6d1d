// Package viewer shows a camera in a window: its newest picture, how many come in a second, and how old the
// one is that is shown.
//
// Pictures are read from the device's gRPC address, if that is reachable and the device answers there: raw from the
// same machine, JPEG from another one, no larger than the window. Otherwise, as from another machine of a robot that
// listens on loopback, the stream of JPEG is read over the bus. The window stays while the device, the bus or the
// network is away, says so, and goes on.
//
// [Run] owns all goroutines and returns when they have ended.
package viewer
