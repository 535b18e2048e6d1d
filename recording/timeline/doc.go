// Package timeline tells what happened during a recording: marks, drives, e-stops, refused commands, devices that were
// away, and what was not recorded.
//
// Only the channels that tell of these are read, and of pictures and sound the heads of a few messages, so a recording of
// an hour takes about a second. Similar events that follow closely are one, with a count. What does not fit in
// [MaxEvents] is left out, the least important first, and counted.
//
// Functions may be called concurrently, for the same files as well. Nothing needs closing.
package timeline
