// Package write writes recordings.
//
// # Concepts
//
// A [File] collects messages in chunks. A chunk ends after 0.8 s, or 512 KB, and rather before a key frame than after
// it. Then it goes to the disk, and is made durable before the next one is written, so what a crash or a power failure
// takes is less than the last second. Until [File.Close] the file is called NAME.part: package repair completes one
// that was left behind.
//
// # A slow or full disk
//
// Writing to the disk never holds up [File.Write]. Chunks wait for the disk, up to a bound in bytes; beyond it the
// newest is dropped whole, and its messages are counted. After the first error the file takes nothing any more:
// [File.Failed] is closed, [File.Err] says why, and what was written before stays readable. (The MCAP library forgets
// such an error, and leaves a hole in the file.)
//
// # Concurrency and shutdown
//
// All methods are safe for concurrent use. A File has one goroutine, which Close and Abandon end and wait for.
package write
