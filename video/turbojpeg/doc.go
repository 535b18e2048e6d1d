// Package turbojpeg converts between JPEG and uncompressed pictures with libjpeg-turbo, without a detour through RGB: a
// 720p picture of a USB camera takes about 2 ms.
//
// # Conventions
//
// JPEG uses the full range of samples, everything else in Waldo video range (see media.I420); both directions convert.
// Decode accepts baseline and progressive JPEGs with any of the usual chroma layouts (4:2:0, 4:2:2, 4:4:0, 4:4:4,
// 4:1:1, grey) and returns 4:2:0. It also accepts what USB cameras send as Motion JPEG: without Huffman tables, and
// with bytes after the end of the picture.
//
// # Concurrency and memory
//
// Any number of goroutines may call the functions at once. They return fresh Go memory.
//
// # Building
//
// The package needs cgo, libjpeg-turbo's TurboJPEG library with its pkg-config file (Debian: libturbojpeg0-dev, 2.0 or
// newer) and libyuv (see package yuv). With CGO_ENABLED=0 its Go files are excluded, and importing it fails to build;
// there is no fallback.
package turbojpeg
