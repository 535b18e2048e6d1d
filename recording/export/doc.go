// Package export writes what is in recordings to files for other programs: pictures and sound as MP4, without decoding
// or encoding anything, and messages as CSV.
//
// # Concepts
//
// A [Recording] is files that follow one another. [Recording.MP4] and [Recording.CSV] write files. Each of these is
// complete when it has its name: until then it has another one, and is removed after an error.
//
// # Concurrency and shutdown
//
// A Recording is for one goroutine, and starts none. An export ends soon after its context.
package export
