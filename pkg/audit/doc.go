// Package audit keeps who did what: logins, leases, e-stops, refused calls, changes of tokens, starts of processes.
//
// Each process of a robot appends to a file of its own, <state>/audit/<robot>/<process>.jsonl: one line of JSON an
// event, never changed. A file has at most [MaxFile] bytes; then it becomes .1, what was .1 becomes .2, and so on up to
// [Kept] old ones, so a process keeps at most 5 MiB. Every line has the number of its event in the file's life, so that
// a gap shows. Readers have to ignore fields and events that they do not know: there will be more.
//
// Nothing waits for the log. Events go through a queue to a goroutine of the [Log], which [Log.Close] ends. If the disk
// is full, slow or gone, events are lost and counted, and the robot goes on; the next line that can be written tells how
// many are missing. Refusals are limited to a few a minute for each kind, and to six a minute after the first hundred
// for all kinds together, so that someone who is refused cannot push out what matters; the limit counts what it left out.
//
// What strangers say is cut to [maxText] bytes and escaped. Tokens and keys are never written.
//
// Everything is safe for concurrent use. A nil *Log takes events and forgets them.
package audit
