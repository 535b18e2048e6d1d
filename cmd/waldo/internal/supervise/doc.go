// Package supervise keeps processes running and shows what they print.
//
// [Supervisor.Run] starts every [Process] and starts it again when it crashes: at once the first time,
// then after 100 ms, 200 ms … 3.2 s as long as it keeps crashing; a run of one second clears the record.
// Two exit codes are final: device.ExitStopped, because somebody stopped the process on purpose, and
// device.ExitConfiguration, because a process that cannot use its configuration will not like it any
// better the next time.
//
// A process with a [Probe] is asked once a second for a sign of life. One that does not answer for 5 s
// counts as hanging, and is killed and started again. Processes that are merely slow are spared: one
// that is working or waiting for a processor has 20 s, one that has never answered has a minute, and a
// question does not count if the supervisor itself was not running meanwhile. A stopped process
// (SIGSTOP) has 5 s in any case.
//
// [Supervisor.Restart] and [Supervisor.Change] change what runs; processes that stay the same are unaffected.
//
// When the context ends, Run asks all processes to stop (SIGTERM), kills those that still run 2 s later,
// and returns when all have ended. If the supervisor itself is killed, the kernel kills the processes.
//
// What processes print goes through a [Printer], line by line. It never makes a process wait: if the
// terminal cannot keep up, lines are dropped, and their number is printed.
package supervise
