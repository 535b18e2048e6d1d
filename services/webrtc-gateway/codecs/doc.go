// Package codecs is what the gateway knows of media types: one file for each codec, one table for all.
//
// A [Codec] says how SDP names it and which parameters of an offer suit a stream, what a receiver may report, how a frame is cut into
// RTP payloads, which frames are key frames, and whether a lost frame spoils those that follow. No other package names a codec; a new
// one is a file here and a line in the table.
//
// Codecs are values that never change, so everything here is safe for concurrent use.
package codecs
