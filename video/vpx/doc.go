// Package vpx encodes and decodes VP8 with Google's libvpx library. The encoder is tuned for live driving: every
// picture comes out of the call that put it in, nothing is buffered, and the bitrate can be changed between two
// pictures. Cameras use it for browsers without H.264. The decoder is for what browsers send.
//
// # Stream
//
// An Encoder makes frames of VP8 (RFC 6386) with constant bitrate in one pass, each as RTP and WebM carry it. A key
// frame comes only first and on request; all others depend on the frame before, so a reader that misses one needs a key
// frame. Sizes may be odd. Pictures are BT.601 video range, which is what VP8 defines. Every picture is encoded:
// content that does not fit the bitrate at the coarsest quality exceeds it, because a steady picture rate is worth more
// for driving.
//
// # Concurrency and memory
//
// An Encoder or Decoder may not be used by two goroutines at once. It owns memory that Go does not see: call Close.
// Using it after Close gives ErrClosed. What it returns is ordinary Go memory, never reused. Unless Threads asks for
// more, it encodes on the calling thread.
//
// # Building
//
// The package needs cgo and the library with its pkg-config file (Debian: libvpx-dev, 1.12 or newer). With
// CGO_ENABLED=0 its Go files are excluded, and importing it fails to build; there is no fallback.
package vpx
