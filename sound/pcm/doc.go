// Package pcm is what everything that handles sound shares: formats, samples as bytes, levels, gain. Samples are
// float32 with full scale at 1, the channels interleaved; a frame is one sample of each channel.
//
// Functions are pure. Types belong to one goroutine unless their comment says otherwise.
package pcm
