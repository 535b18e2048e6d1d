// Package pipeline carries pictures from one source to any number of readers, doing every piece of work once.
//
// A reader requests a format (Open). Readers of the same format share one variant: one goroutine that takes the newest
// captured picture, encodes it and delivers it to all of them. The first reader of any variant starts the capture, and
// the last one stops it; a variant ends with its last reader. Without readers nothing runs except the watch for the
// hardware's disappearance.
//
//	source ──► capture ──► variant H.264 ──► readers
//	              │  └───► variant JPEG  ──► readers
//	              └─ decoded and turned once, for all variants that need pixels
//
// Single pictures (CaptureOne) are made one at a time, each once for everyone who waits for it. No picture is larger
// than the source's, and the work of all variants together is bounded.
//
// A compressed picture that is already what a variant wants passes through untouched, unless its source says that not
// every reader could show it ([source.Info].Recode) and it can be encoded again. The frames since the last key frame
// are kept: a reader of any variant that comes in between begins with them, and has a picture at once, however rare key
// frames are.
//
// # Streams on the bus
//
// The streams that the bus carries (Stream) have one variant each, in the source's size and rate, or in a small
// version. Their bit rate can be limited (LimitBitrate, package limits). A governor then chooses size and rate (package
// ladder), leaves out pictures that would be too much, and keeps key frames small. Readers that name no size share
// these variants, and what limits them; all other variants are not limited.
//
// # Replays
//
// A source may replay a recording ([source.Replay]). Its frames tell both when they were captured and when they are
// replayed; everything here goes by the latter. At another place it begins another epoch, with everything that the
// picture at that place depends on: readers of what passes through get that as a whole, whatever their queues hold, and
// for all others it is decoded, and only the picture at the place is made. While a replay stands still, its source
// repeats that picture now and then, for readers who have come since.
//
// # What may be lost
//
// A variant that is late takes the newest picture and skips the ones between. A reader that is late loses the oldest
// frames of a short queue; if it reads an inter-coded format it resumes at the next key frame, which is requested on
// its behalf. All losses are counted.
//
// # Concurrency and shutdown
//
// All methods of Pipeline are safe for concurrent use, except that only one goroutine may call Run at a time. Run may
// be called again with another source after it has returned: readers stay and continue. A Reader belongs to one
// goroutine, but Close may be called from any, and waits for the variant if that was its last reader. Close ends all
// variants and readers.
package pipeline
