// Package v4l2 captures from cameras of the Linux kernel: USB webcams, CSI sensors with a plain capture node, HDMI grabbers.
//
// It stands on the system call layer of go4vl, and not on its Device type, which reports the format that was asked for instead of
// the one the driver chose, keeps buffers after a stop, and cannot tell an unplugged camera from other errors.
//
// # What it promises
//
//   - Info().Current is what the driver chose. Nothing is assumed of what was asked.
//   - Capture times are wall clock, made from the driver's monotonic ones.
//   - While nobody captures the device stays open, streaming is off, and no buffers are held. Unplugging is then noticed
//     within half a second by a single system call in that time.
//   - Pictures that arrive damaged (as the first Motion JPEG after a start often does) are left out, and counted with those the
//     driver lost in source.Frame.Lost.
//   - Errors tell a missing device, a busy one, and one that is no camera apart: see package source.
//
// See package source for concurrency and shutdown. Capture starts one short-lived goroutine at most.
//
// # Not supported
//
// Multi-planar capture nodes, which some boards have for raw sensors, are refused with a clear error.
package v4l2
