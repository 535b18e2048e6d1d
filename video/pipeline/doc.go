// Package pipeline carries pictures from one source to any number of readers, doing every piece of work once.
//
// A reader asks for a format (Open). Readers that want the same share one variant: one goroutine that takes the newest
// captured picture, encodes it and hands it to all of them. The first reader of any variant starts the capture, and the last
// one stops it; a variant ends with its last reader. With no readers nothing runs but the watch for the hardware's going.
//
//	source ──► capture ──► variant H.264 ──► readers
//	              │  └───► variant JPEG  ──► readers
//	              └─ decoded and turned once, for all variants that need pixels
//
// Single pictures (CaptureOne) are made one at a time, each once for all who wait for it. No picture is larger than the source's, and what all
// variants make together is bounded.
//
// A compressed picture that is already what a variant wants passes through untouched.
//
// # What may be lost
//
// A variant that is late takes the newest picture and leaves out the ones between. A reader that is late loses the oldest of a
// short queue; if it reads H.264 it goes on at the next key frame, which is asked for on its behalf. All losses are counted.
//
// # Concurrency and shutdown
//
// All methods of Pipeline are safe for concurrent use, except that Run is called by one goroutine at a time. Run may be called
// again with another source after it returned: readers stay and go on. A Reader belongs to one goroutine, but Close may be
// called from any, and waits for the variant if it was its last reader. Close ends all variants and readers.
package pipeline
