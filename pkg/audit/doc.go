// Package audit keeps who did what: logins, leases, e-stops, refused calls, changes of tokens, starts of processes.
//
// Each process of a robot appends to a file of its own, <state>/audit/<robot>/<process>.jsonl: one line of JSON an
// event, never changed. A file has at most [MaxFile] bytes; then it becomes .1, what was .1 becomes .2, and so on up to
// [Kept] old ones, so a process keeps at most 5 MiB. Every line has the number of its event in the file's life, so that
// a gap shows. Readers have to ignore fields and events that they do not know: there will be more.
//
// # Chain
//
// Each line names the SHA-256 of the line before, without its newline, as prev; the first line of a log names [Start].
// The chain goes on from one file to the next when they are rotated. What a loss of power leaves at the end, half a
// line or zeros, counts as a line: the next event begins on a new line and names its hash. Lines of older versions name
// nothing; they are attested by the next line that does. [Verify] checks all this. It cannot tell whether the end of a
// log was cut off, or all of it written anew, unless it is told a [Head] that somebody kept: each device publishes its
// own with its state (Device.audit_head), so that recordings have them.
//
// Events other than refusals are on the disk (fsync) as soon as no other event waits.
//
// # Losses
//
// Nothing waits for the log. Events go through a queue to a goroutine of the [Log], which [Log.Close] ends. If the disk
// is full, slow or gone, events are lost and counted, and the robot goes on; the next line that can be written tells
// how many are missing. Refusals are limited to a few a minute for each kind, and to six a minute after the first
// hundred for all kinds together, so that someone who is refused cannot push out what matters; the limit counts what it
// left out.
//
// What strangers say is cut to [maxText] bytes and escaped. Tokens and keys are never written.
//
// # Concurrency
//
// Everything is safe for concurrent use, also by several processes with one log. [Read] and [Verify] see the log as it
// was when they began. A nil *Log takes events and forgets them.
package audit
