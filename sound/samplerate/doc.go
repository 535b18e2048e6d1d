// Package samplerate changes the rate of sound with libsamplerate, by a ratio that may change while the sound goes on:
// that is how two clocks that are not quite the same are kept together without a click.
//
// # Conventions
//
// Samples are 32-bit floats with channels interleaved; lengths are lengths of slices, so a piece of stereo sound of n
// frames has 2n samples. A ratio is output rate divided by input rate: 2 makes twice as many samples.
//
// A [Converter] keeps what its filter needs of earlier input, less than a millisecond at [Fast] and few at [Best]; its
// output is late by as much. NaN and infinite samples would stay in the filter, so keep them out.
//
// # Concurrency and memory
//
// One Converter is for one stream of sound, and one goroutine at a time. [Converter.Process] allocates nothing and
// never blocks. The memory of the library is freed by [Converter.Close], or when the Converter is garbage.
//
// # Building
//
// The package needs cgo and libsamplerate 0.1.9 or newer with its pkg-config file (Debian: libsamplerate0-dev).
package samplerate
