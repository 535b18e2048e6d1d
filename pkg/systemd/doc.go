// Package systemd is what a process of a robot has to say to systemd, if that has started it.
//
// [NewUnit] finds out whether it has: a [Unit] tells systemd that the process is ready, what it is doing, that it is
// alive and that it stops, by the protocol of sd_notify(3). For a process that systemd has not started, or whose unit
// asks for nothing, each call does nothing, so callers need not ask.
//
// [Unit.Watch] feeds the watchdog of the unit (WatchdogSec=) with evidence: a function that asks the process what it
// could not answer if it hung. A ticker that feeds a watchdog proves that the ticker is alive.
//
// [Log] makes the log of a process. Under systemd it goes to the journal with fields, so that
// `journalctl WALDO_DEVICE=front` finds the lines of a device and WALDO_EPOCH those of one life of it; elsewhere it is
// lines of text on standard error.
//
// [Credential] finds a secret that the unit loads (LoadCredential=).
//
// Nothing here waits for systemd for longer than [patience]: a robot goes on if the first process of the machine hangs.
// A Unit is safe for concurrent use. The package starts no goroutine.
package systemd
