// Package codecs is what the gateway and its peers know about media types in RTP: one file per codec, and one table.
//
// A [Codec] defines its name in SDP, which parameters of an offer suit a stream, what a receiver may report, how a
// frame is cut into RTP payloads, which frames are key frames, and whether a lost frame makes later ones useless. No
// other package names a video codec; a new one takes a file here and an entry in the table.
//
// Codecs never change, so everything here is safe for concurrent use.
package codecs
