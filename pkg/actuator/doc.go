// Package actuator makes a device an actuator: one that can move something and therefore obeys package control.
//
// An [Actuator] owns the arbiter of one device process. It supplies the time, serves ControlService over gRPC and on
// the bus, publishes the state as the stream `control`, keeps a latched e-stop in a file so that it survives a restart,
// and keeps metrics. The kind of device adds what only it knows: how to stop its hardware (a [Hardware]), and what a
// command looks like; it asks [Actuator.Submit] before it carries one out.
//
// # Promises
//
//   - Hardware.Safe, and the function given to Submit, are called one at a time, in the order of their causes. So a
//     driver that keeps only the newest command or stop never lets a command overtake a stop.
//   - The deadman fires on a goroutine of its own that waits for nothing but the time and the arbiter.
//   - While the hardware is away no command is accepted; when it is back, the first must be neutral.
//   - One process at a time keeps the e-stops of a device: its folder is locked for as long as the process lives.
//   - What became of each command is published as the stream `commands` while somebody holds that. The judgement only
//     leaves a note of it: the record is made by a goroutine of its own, and lost, with a gap in its sequence, if the bus
//     is too slow for it.
//   - An e-stop works even if it cannot be written to its file; the state reports that, and the log the reason. One
//     whose file cannot be read counts as latched.
//
// # Time
//
// The clock of an actuator counts while the machine sleeps (CLOCK_BOOTTIME): what was under way when a machine went to
// sleep is stale when it wakes.
//
// # Shutdown
//
// An Actuator ends with its device; see [device.Kit.OnStop].
package actuator
