// Package yuv converts, scales, turns and mirrors uncompressed pictures with Google's libyuv, which uses the vector
// instructions of the CPU: a 720p picture takes about a tenth of a millisecond.
//
// # Conventions
//
// Everything goes from or to media.I420 in BT.601 video range. The destination picture gives the size, and must exist;
// nothing is allocated and nothing is kept. Width and height may be odd: chroma is rounded up, as in media.I420.
//
// Buffers in other formats come with a stride, the bytes from one row to the next (V4L2 calls it bytesperline). Stride
// 0 means rows without padding. A buffer may be longer than the picture needs; one that is too short gives an error
// that states the required size.
//
// # Concurrency
//
// The functions are stateless: any number of them may run at once on different pictures. Source and destination must
// not share memory, except where a function says that it works in place.
//
// # Building
//
// The package needs cgo and libyuv (Debian: libyuv-dev, which has no pkg-config file). With CGO_ENABLED=0 its Go files
// are excluded, and importing it fails to build; there is no fallback.
package yuv
