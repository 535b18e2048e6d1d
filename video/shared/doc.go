// Package shared hands raw pictures to readers on the same machine through memory instead of messages.
//
// The memory is a ring of slots in a memfd, which readers open as /proc/<pid>/fd/<n>: the kernel lets those do so who
// run as the same user, or as root. It has no name in any file system, so nothing is left when the process ends,
// however it ends. There is one ring for all readers of the same frames, and each frame is written once, when the
// first of them is sent it.
//
// # Versions
//
// Each slot begins with its version: 8 bytes, little-endian, even while the slot holds a picture, odd while one is
// written. A reader reads the version, copies the picture, and reads the version again; unless it is the one that the
// device named both times, the slot has been used again and the picture is lost to that reader. So a reader never holds
// up the device or another reader, and gets no picture that is older than a ring.
//
// # Bounds
//
// A ring has up to [maxSlots] slots, all rings of a [Memory] together up to [maxBytes] bytes. Where there is no room
// for at least [minSlots], or the kernel gives no memory, pictures go into the messages. A ring that has ended gives
// its pages back, even if a reader still maps it: that reader then finds version 0. The length is sealed, so a
// mapping cannot become invalid.
//
// # Concurrency and shutdown
//
// A Memory and its shares are safe for concurrent use; a [Reader] is for one goroutine. Nothing here starts goroutines.
// A ring ends with its last share.
package shared
