// Package timeline tells what happened during a recording: marks, drives, e-stops, refused commands, devices that were
// away, and what was not recorded.
//
// Only the channels that tell of these are read, and of what is numbered the heads of a few messages. An hour of one
// camera with 50 commands a second, 0.9 GB, takes 2.4 to 3.0 s (BenchmarkTimelineOfHour).
//
// Similar events that follow closely are one, with a count. A loss is told once: what a recorder counts as lost is told
// only as far as the numbers of messages do not show it already. How much a device would have produced while it could
// not be heard, or nobody held a stream, they cannot tell; its states, which come once a second, tell when that was.
// Nothing is said of a time in which messages came nevertheless, and what numbers and states tell of one outage is one
// gap. What does not fit in [MaxEvents] is left out, the least important first, and counted.
//
// Functions may be called concurrently, for the same files as well. Nothing needs closing.
package timeline
