// Package control decides whether a command may move hardware. It is the second promise, as code: the robot never acts on a stale
// wish.
//
// An [Arbiter] is the state machine of one actuator: who has the lease, whether an e-stop is latched, and what becomes of each command.
// It is pure: it starts no goroutine, reads no clock, does no I/O. Whoever owns it tells it the time, and is told by one callback when the
// hardware has to stand still. Package actuator owns one in every actuator process.
//
// # The rules
//
// A command is accepted only if all of these hold:
//
//   - Its sender has the lease. There is one lease at a time, and it ends when its holder gives no sign of life for [LeaseTTL].
//   - Its sequence is greater than that of every command that counted before under this lease.
//   - It is fresh: not more than its life has passed since the actuator told the clock that the command repeats.
//   - Its sender has heard from the actuator since the hardware was last made to stand still, so that nothing that was sent before a stop
//     moves it after the stop.
//   - No e-stop is latched.
//   - It is neutral (it means standing still), or a neutral one came first: after the lease was granted, after an e-stop, after the
//     hardware was away.
//
// When none was accepted for the deadman time, the hardware is made to stand still.
//
// # Why no clocks are compared
//
// A command names the newest clock that its sender has heard from the actuator. The actuator knows when it told that, by its own monotonic
// clock; so the age of the command, from the telling to the judging, is measured on one clock, which never jumps. It contains the whole round
// trip, and therefore is never less than the true age: a command cannot be carried out later than its life after it was sent, whatever
// the clock of the sender does. The same repetition proves that the sender had heard of a stop.
//
// # Concurrency
//
// An Arbiter is not safe for concurrent use. Times passed to it must not go backwards.
package control
