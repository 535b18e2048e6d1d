// Package segment cuts the pictures and the sound of a recording into pieces that browsers play while they fetch the
// next ones (fragmented MP4, Media Source Extensions).
//
// # Concepts
//
// A [Source] is a recording: files that follow one another. [Source.Piece] returns the piece at a time. Times of all
// streams count from the start of the recording, so pictures and sound are in step without anything else.
//
// A piece of pictures begins with a key frame, and has one group of pictures or more. A group that is too large for a
// piece is cut, and whoever asks for [Piece.Next] gets the rest. The last picture before a hole is shown until the next
// one.
//
// A piece of sound has no holes: silence that was not recorded is filled in, because players stop where they have no
// sound.
//
// # Concurrency and shutdown
//
// A Source may be used concurrently. Its files stay their owner's.
package segment
