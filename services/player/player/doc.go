// Package player is the device kind "player": it serves PlayerService, and says on the stream "player" where in a
// recording the devices of the kind replay are.
//
// # What it does, and does not
//
// A player is a clock with a beginning and an end ([transport]). It sends no pictures: each replayed device reads the
// files itself and follows the clock (package play), so what one device does holds no other up. The messages between
// pages and programs are of no device, so the player publishes these, if it is told to.
//
// # When it dies
//
// The devices go on by its last clock. The next process finds that clock in a file, which is written on every change
// and once a second, and goes on from there without a jump. A clock that nobody has written for 10 s, or before the
// machine was started, or of other files, is not taken: then the recording begins anew.
//
// # Concurrency and shutdown
//
// The transport is safe for concurrent use. Run owns the goroutines that end a recording, write the file, publish
// states and messages, and returns after the last of them.
package player
