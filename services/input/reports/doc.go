// Package reports makes reports of what a source tells: it names and normalises events, leaves out the sorts that are not wanted,
// numbers the reports, keeps the state up to date, and hands both to readers.
//
// A [Hub] is the sink of the source, and lives as long as the process: sources come and go, readers stay.
//
// # What it promises
//
//   - The events that the kernel synchronised are one report, in their order. Reports are numbered from 0 without gaps, for all readers
//     alike and also while there are none.
//   - [Hub.Open] gives the state and every report after it: none is missing between the two, and none is in both.
//   - A state together with the reports after it is the next state. That holds for the sorts of events that are passed on; others are in
//     neither. Axes that only an earlier device had are at rest, and not in the state.
//   - A reader loses nothing. One that falls [Queue] reports behind is ended with [ErrTooSlow], and is not given the
//     rest of what waited for it: that would be old by then.
//   - When the source goes, a report releases every key and puts every axis to rest. When it comes, a report says what is different.
//     Both, and those after the kernel lost events, have resync set, and may be empty.
//   - Fingers on touch surfaces (ABS_MT_…) are reported as they come. They are not in the state, and nobody lifts them for a lost device.
//
// # Bounds
//
// A report is never cut, because its events belong together. Sources bound it (package evdev: 512 events), and a report made by
// comparing states has at most one event for each key and axis of Linux, some 830. A reader keeps [Queue] reports alive at most,
// which readers share.
//
// # Concurrency and shutdown
//
// A Hub may be used by any goroutine. Nothing of it waits for readers, and it starts no goroutines. [Hub.Close] lets readers
// take what waits for them and then ends them with [ErrClosed].
package reports
