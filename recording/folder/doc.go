// Package folder keeps recordings in a folder: it names them, lists them, makes room for new ones, and repairs what was
// left behind.
//
// # Concepts
//
// A recording is one file, or several that follow one another, called TIME_ROBOT_NUMBER.mcap (see [Name]); those of one
// recording have the time of its start and the robot in common, and count up from 1. Its name is that of its first
// file. All other files in the folder are left alone, and left out.
//
// A recording can go on after its writer has ended, in another file: see [Writer.Continue].
//
// A [Folder] reads: it needs no rights but to read, and does not change anything. A [Writer] owns the folder: there is
// one at a time, by a lock of the kernel that ends with its process.
//
// # Cost
//
// Of a file that is complete only the index at its end is read, its marks by that index, and only once: what was found
// is kept as long as size and time of the file stay the same. One that is not complete is gone through, without its
// messages. How much is read for marks is bounded, whatever a file says.
//
// # Concurrency and shutdown
//
// Everything is safe for concurrent use. A Folder has nothing to close. [Writer.Close] gives the folder free.
package folder
