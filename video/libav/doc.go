// Package libav decodes what network cameras send with FFmpeg's libavcodec: H.264 of every profile that has Y, U and V
// (B frames, 10 bit, 4:2:2, interlaced), H.265 of 8 and more bits, MPEG-4 part 2, and JPEGs that libjpeg-turbo refuses.
//
// # Licence
//
// This package is under Waldo's licence, Apache 2.0. Debian builds libavcodec with --enable-gpl, so a program that is
// linked with that is under the GNU General Public License, version 2 or later, as a whole. Who passes such a program
// on does so under version 3: Apache 2.0 does not go together with version 2. Programs of Waldo get this package by
// package codec/network only, and the build tag nolibav leaves it out of that.
//
// # Pictures
//
// A Decoder takes one access unit per call (Annex B for H.264 and H.265), and returns at most one picture, together
// with the time that was given with its frame: with B frames pictures come out later than they went in, in the order
// in which they are shown. Without B frames each call returns the picture of its own frame. Everything becomes 8 bit
// 4:2:0 in video range (see media.I420); the fields of interlaced video stay interleaved, and the colour matrix stays
// what it was.
//
// A damaged picture is an error and not shown, nor is anything that builds on it: after an error the decoder waits
// for the next key frame, which has to bring its parameter sets. In H.264 and MPEG-4 the library notices nearly all
// damage within a frame. It does not notice a missing frame, nor a slice of H.265 that is missing or cut off: those
// who receive the packets have to, and must leave out what follows.
//
// Only slices and parameter sets reach the library. Access units are at most 16 MiB, pictures at most 8192 pixels
// either way and 35 651 584 in all, which is level 6.2 of H.264 and H.265.
//
// # Concurrency and memory
//
// A Decoder may not be used by two goroutines at once. It owns memory that Go does not see: call Close. Using it
// after Close gives ErrClosed. What it returns is ordinary Go memory, never reused. It decodes on the calling thread:
// more of them would each delay the picture by one.
//
// # Building
//
// The package needs cgo and the library with its pkg-config file (Debian: libavcodec-dev, libavutil-dev, 5.1 or
// newer). With CGO_ENABLED=0 or the tag nolibav its other Go files are excluded, and importing it fails to build.
package libav
