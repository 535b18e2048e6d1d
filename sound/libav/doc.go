// Package libav decodes sound of network cameras with FFmpeg's libavcodec: AAC (Low Complexity, HE-AAC in both
// versions, Low Delay) and G.726.
//
// # Licence
//
// This package is under Waldo's licence, Apache 2.0. Debian builds libavcodec with --enable-gpl, so a program that is
// linked with that is under the GNU General Public License as a whole: see package libav of module video, which the
// same programs link. The build tag nolibav leaves this package out too.
//
// # Sound
//
// A Decoder takes one block per call, without ADTS or LATM around it, and returns its samples at once, interleaved. The
// format comes with the samples, because AAC does not always announce it: a stream that is described as 24 kHz mono may
// turn out to be HE-AAC of 48 kHz stereo with its first block. Sound of more than two channels is an error.
//
// Every block makes as many samples as it stands for, and its first sample has the time of the block: what an encoder
// needs in advance is in its timestamps. Only the filters of HE-AAC hold sound back, 20 ms at 48 kHz; Sound says so.
// The first block after the beginning, an error or Reset fades in, since half of it builds on the one before.
//
// # Concurrency and memory
//
// A Decoder may not be used by two goroutines at once. It owns memory that Go does not see: call Close. Using it after
// Close gives ErrClosed. The samples that it returns are valid until the next call. Blocks have at most 64 KiB.
//
// # Building
//
// The package needs cgo and the library with its pkg-config file (Debian: libavcodec-dev, libavutil-dev, 5.1 or newer).
// With CGO_ENABLED=0 or the tag nolibav its other Go files are excluded, and importing it fails to build.
package libav
