// Package tap reads what passes on a robot's bus, for a recorder.
//
// # Concepts
//
// A [Tap] follows which devices there are. It subscribes to the streams that are chosen, and to the states of their
// devices, and hands every message over as it was on the bus, with what defines its type (asked of the device once in each
// of its lives). It holds the streams that devices produce, so that they flow, and adds nothing else to a device's work: a
// stream that somebody watches anyway is encoded once.
//
// # What may be lost
//
// Each stream has a queue of its own, and loses its oldest message when that is full; [Tap.Lost] counts them. A message
// whose type a device does not define is left out, and told once.
//
// # Concurrency and shutdown
//
// [Tap.Run] hands messages over from several goroutines, those of one stream in their order. When it returns, they have
// ended.
package tap
