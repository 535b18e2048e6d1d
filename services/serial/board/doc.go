// Package board connects an open port with the readers and writers of a board's messages.
//
// A [Board] lives as long as the process; ports come and go. [Board.Run] serves one port until it goes:
// the board's bytes become messages that all subscribers get; messages to the board take one of two
// paths, depending on whether the board can move something:
//
//   - [Board.Write]: messages in the order in which they arrive. Each call waits until its message has
//     been handed to the port; a few may wait for a slow board, more are refused.
//   - [Board.Command] and [Board.Safe], of an actuator: there is one slot for a command, which the
//     newest takes and a stop empties. A command is written before it expires or never. The port must
//     have sent one message before it gets the next, so that no command waits in a system buffer.
//
// # What may be lost
//
// Slow subscribers lose the oldest of a queue of [Queue] messages, which are counted. Bytes from the
// board that belong to no message, and messages that cannot be read, are counted; the first of each kind
// after the board was plugged in is logged as a warning with the remedy, and so is a board that has sent
// bytes for some seconds but no message. Commands replaced by newer ones are counted. Nothing else is
// lost silently.
//
// # Concurrency and shutdown
//
// All methods are safe for concurrent use, except that only one goroutine at a time may call Run. If the
// board is an actuator, a stop is written last when the context of Run ends.
package board
