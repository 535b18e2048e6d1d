// Package replay is the device kind "replay": a process that stands for one device of a recording. It is announced as
// the kind that was recorded, with its streams and attributes, so pages, programs and commands use it as they use the
// device itself.
//
// # What it serves
//
// Pictures and sound are served by packages film and hearing, which offer everything that a camera or a microphone
// does. All else needs no knowledge of kinds: what the device produced is published byte for byte, but for the epoch,
// and its services are served by the definitions in the recording. A method that streams messages of one of the
// device's streams streams these; a method that returns one message of such a type returns the last one; and all others
// fail with FAILED_PRECONDITION, since what is replayed cannot be driven. What the device was sent is never published.
//
// # Time
//
// A player (kind "player") says where in the recording everybody is; see package play. While it is away the device goes
// on by its last word. After a jump each stream has a new epoch and begins with what shows the place.
//
// # Concurrency and shutdown
//
// One goroutine plays, for as long as the process lives; it hands messages to streams, none of which waits for a
// reader. Methods run on the goroutines of their calls. Everything ends with the kit.
package replay
