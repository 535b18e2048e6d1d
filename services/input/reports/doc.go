// Package reports turns a source's events into reports: it names and normalises events, drops the kinds
// that are not configured, numbers the reports, keeps the state up to date, and hands both to readers.
//
// A [Hub] is the sink of the source, and lives as long as the process: sources come and go, readers stay.
//
// # Promises
//
//   - The events that the kernel synchronised are one report, in their order. Reports are numbered from
//     0 without gaps, the same for all readers, and even while there are none.
//   - [Hub.Open] returns the state and every report after it: no report is missing between the two, and
//     none is in both.
//   - A state plus the reports after it is the next state. That holds for the kinds of events that are
//     reported; others are in neither. Axes that only an earlier device had are at rest, and not in the
//     state.
//   - A reader loses nothing. One that falls [Queue] reports behind is ended with [ErrTooSlow], and does
//     not get the reports that waited for it: they would be stale by then.
//   - When the source goes away, a report releases every key and puts every axis to rest. When it comes
//     back, a report contains the differences. Both, and those after the kernel lost events, have resync
//     set, and may be empty.
//   - Fingers on touch surfaces (ABS_MT_…) are reported as they come. They are not in the state, and a
//     lost device does not lift them.
//
// # Bounds
//
// A report is never cut, because its events belong together. Sources bound it (package evdev: 512
// events), and a report made by comparing states has at most one event for each key and axis of Linux,
// some 830. A reader keeps [Queue] reports alive at most, which readers share.
//
// # Concurrency and shutdown
//
// A Hub may be used by any goroutine. It never waits for readers, and starts no goroutines. [Hub.Close]
// lets readers take the reports that wait for them and then ends them with [ErrClosed].
package reports
