// Package v4l2 captures from the Linux kernel's cameras: USB webcams, CSI sensors with a plain capture node, HDMI
// grabbers.
//
// It uses the system call layer of go4vl, but not its Device type, which reports the requested format instead of the
// one the driver chose, keeps buffers after a stop, and cannot distinguish an unplugged camera from other errors.
//
// # What it promises
//
//   - Info().Current is what the driver chose, whatever was requested.
//   - Capture times are wall clock, made from the driver's monotonic ones.
//   - While nobody captures the device stays open, streaming is off, and no buffers are held. Unplugging is then
//     noticed within half a second by a single system call in that time.
//   - Pictures that arrive damaged (as the first Motion JPEG after a start often does) are dropped, and counted in
//     source.Frame.Lost with those that the driver lost.
//   - Errors distinguish a missing device, a busy one, and one that is not a camera: see package source.
//
// See package source for concurrency and shutdown. Capture starts one short-lived goroutine at most.
//
// # Not supported
//
// Multi-planar capture nodes, which some boards have for raw sensors, are refused with a clear error.
package v4l2
