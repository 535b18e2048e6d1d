// Package board joins an open port with those who read and write a board's messages.
//
// A [Board] lives as long as the process; ports come and go. [Board.Run] works one port until it goes: what the board says becomes messages that
// all subscribers get; what is to be said to it goes one of two ways, depending on whether the board can move something:
//
//   - [Board.Write]: messages in the order in which they come. Each waits until it was handed to the port; a few may wait for a slow board, more
//     are refused.
//   - [Board.Command] and [Board.Safe], of an actuator: there is one place for a command, the newest takes it, and a stop empties it. A command is
//     written before its expiry or never. The port has to have sent one message before it gets the next, so that none waits in a buffer of the system.
//
// # What may be lost
//
// Subscribers that are slow lose the oldest of a queue of [Queue] messages, which are counted. Bytes of the board that are no message, and messages that mean
// nothing, are counted; the first of each kind after the board was plugged in is logged as a warning with what to do about it, and so is a board that has
// sent bytes for some seconds and no message. Commands that give way to newer ones are counted. Nothing else is lost silently.
//
// # Concurrency and shutdown
//
// All methods are safe for concurrent use, except that Run is called by one goroutine at a time. When the context of Run ends and the board
// is an actuator, a stop is written last of all.
package board
