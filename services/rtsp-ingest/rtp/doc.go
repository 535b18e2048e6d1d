// Package rtp makes whole pictures and blocks of sound of the RTP packets of network cameras.
//
// Cameras keep few of the rules of RTP: they fragment where they said they would not, never set the marker or
// set it on every NAL unit, restart their numbers, send packets twice. An [Assembler] takes the packets of one
// track as they come and makes the best of them:
//
//   - Packets are put in order and counted by package order. A gap damages a picture, and at a restart the unfinished
//     picture is dropped. Over UDP, packets wait for late ones, 5 packets or 20 ms at most; over TCP, numbers that stand
//     still say nothing.
//   - A picture of H.264 or H.265 is what has one timestamp. It is complete at the marker, if the camera sets
//     markers on the last packet of pictures only; else when it has as many slices as others had and nothing came
//     for 10 ms, or when the next picture begins. The number of its NAL units does not matter, their bytes do (8 MiB).
//   - Parameter sets tell H.264 from H.265, whatever was announced.
//   - A picture of MPEG-4 part 2 begins with a start code and ends at the marker, or when the next one begins.
//   - A JPEG (RFC 2435) gets the header and tables that RTP leaves out.
//
// # Concurrency and shutdown
//
// An Assembler belongs to one goroutine. It starts none and reads no clock: its owner calls Expire at Deadline.
// It keeps parts of the packets that it is given, and never writes to them. There is nothing to close.
package rtp

import "time"

// Limits.
const (
	maxPicture = 8 << 20               // bytes of one picture
	maxHeld    = 5                     // packets that wait for a late one …
	maxWait    = 20 * time.Millisecond // … and how long
	quiet      = 10 * time.Millisecond // after the last packet of a picture without a marker
)
