// Package control decides whether a command may move hardware. It is the second promise as code: the
// robot never acts on a stale command.
//
// An [Arbiter] is the state machine of one actuator: who holds the lease, whether an e-stop is latched,
// and whether a command is accepted. It is pure: it starts no goroutine, reads no clock, does no I/O.
// Its owner passes it the time, and a callback reports when the hardware must stand still. Package
// actuator owns one in every actuator process.
//
// # The rules
//
// A command is accepted only if all of these hold:
//
//   - Its sender holds the lease. There is one lease at a time, and it ends when its holder gives no sign of
//     life for [LeaseTTL].
//   - Its sequence is greater than that of every command accepted before under this lease.
//   - It is fresh: no more than its life has passed since the actuator sent the clock that the command
//     echoes.
//   - Its sender has heard from the actuator since the hardware was last stopped, so nothing that was sent
//     before a stop moves it after the stop.
//   - No e-stop is latched.
//   - It is neutral (it means standing still), or a neutral one came first: after the lease was granted,
//     after an e-stop, after the hardware was away.
//   - It is neutral, or drivers need not see anything, or its sender saw a picture that is younger than [Sight].Stop.
//     A command that is faster than the age of that picture allows is slowed down; one that cannot be slowed down is
//     refused.
//
// The hardware is stopped when no command has been accepted within the deadman time, when the picture that the sender
// of the command in force had seen becomes as old as Sight.Stop, and when a command is refused because its sender is
// blind.
//
// # How fast it may move
//
// At full speed while the picture is younger than Sight.Slow; from that age on the limit falls linearly, to zero at
// Sight.Stop. Sight.Reaction also limits the distance from the capture of the picture to standing still. That distance
// is what was commanded since the capture, plus the speed times the time until the deadman or Sight.Stop ends the
// command, plus the distance it takes to come to a stop. At a steady speed the limit is therefore
// Reaction / (age + deadman + coast / 2). Distances follow from what was commanded: the arbiter does not know whether
// the hardware really moved that far.
//
// # Why no clocks are compared
//
// A command echoes the newest clock that its sender has received from the actuator. The actuator knows
// when it sent that clock, by its own monotonic clock; so the age of the command, from the sending of
// the clock to the verdict, is measured on one clock, which never jumps. That age includes the whole
// round trip, and is therefore never less than the true age: a command cannot be carried out later than
// its life after it was sent, regardless of the sender's clock. The same echo proves that the sender
// knew of a stop.
//
// # Concurrency
//
// An Arbiter is not safe for concurrent use. Times passed to it must not go backwards.
package control
