// Package mp4 puts pictures and sound into MP4 as they are: nothing is decoded or encoded.
//
// # Concepts
//
// [Describe] reads from a key frame or a packet what a decoder has to know (a sample description). With it, [Init] and
// [Fragment] make the pieces that browsers play (ISO/IEC 14496-12, 8.8), and a [Writer] makes a plain file, whose index
// is at its end. Each sample has its own duration, as pictures come when they come.
//
// H.264, H.265 and VP8 pictures, JPEG pictures and Opus packets can be held. Browsers play the first two, and Opus.
// Parameter sets stay in the pictures, besides standing in the sample description.
//
// # Concurrency and shutdown
//
// Functions may be called concurrently. A Writer is for one goroutine; it starts none, and leaves closing its file to
// its owner.
package mp4
