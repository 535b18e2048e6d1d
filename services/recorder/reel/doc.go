// Package reel writes one recording: a file, or several that follow one another.
//
// # Concepts
//
// A [Reel] takes [Message] values in the order in which they came, and writes each to the file that is open.
// [Reel.Turn] goes on in another file: it begins with the next key frame, or after a second. Each file can be read
// without the others: it has a head of its own, the channels of its messages, and begins with what its devices said
// last of themselves and of who drives them, which is repeated from the file before.
//
// # Times
//
// The log time of a message is the wall clock at the start of the recording plus what the monotonic clock says has
// passed since. So it does not go back when somebody sets the clock. [Resume] is told what the present is in a
// recording that another process has begun.
//
// # Errors
//
// A file that cannot be written ends the recording: [Reel.Failed] is closed, and [Reel.Err] says why. What was written
// before stays in files that can be repaired.
//
// # Concurrency and shutdown
//
// A Reel is safe for concurrent use. Each file has goroutines, which have ended when [Reel.End] returns.
package reel
