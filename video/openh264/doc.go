// Package openh264 encodes and decodes H.264 with Cisco's openh264 library, tuned for live driving: every picture
// comes out of the call that put it in, nothing is buffered, and the rate can be changed between two pictures.
//
// # Stream
//
// An Encoder makes Annex B access units of constrained baseline H.264: no B frames, one reference, and a key frame
// (SPS, PPS, IDR) only first and on request. Each key frame carries its own SPS and PPS, so a reader can begin at any
// of them. Pictures are BT.601 video range, which is what decoders assume unless the stream states otherwise.
//
// A Decoder takes the same, and what H.264 cameras and files deliver: baseline, main and high profile, 4:2:0, 8 bit.
//
// # Concurrency and memory
//
// Neither type may be used by two goroutines at once. Both own memory that Go does not see: call Close. Using one
// after Close gives ErrClosed. What they return is ordinary Go memory, never reused.
//
// # Building
//
// The package needs cgo and the library with its pkg-config file (Debian: libopenh264-dev, 2.3.1 or newer). With
// CGO_ENABLED=0 its Go files are excluded, and importing it fails to build; there is no fallback.
package openh264
