// Package supervise keeps processes running and shows what they print.
//
// [Supervisor.Run] starts every [Process] and starts it again when it crashes: at once the first time, then after 100 ms, 200 ms … 5 s as
// long as it keeps crashing; a second of life makes up for all crashes before. Two exits are final: device.ExitStopped,
// because somebody stopped the process on purpose, and device.ExitConfiguration, because a process that cannot use its
// configuration will not like it better the next time.
//
// A process with a [Probe] is asked once a second for a sign of life. One that does not answer for 5 s counts as hanging, is killed and
// started again. What is merely slow is spared: 20 s for one that is at work or waits for a processor, a minute for one that has never
// answered, and no question counts during which the supervisor itself did not run. One that is stopped (SIGSTOP) has 5 s in any case.
//
// [Supervisor.Restart] and [Supervisor.Change] change what runs; processes that stay the same do not notice.
//
// When the context ends, Run asks all processes to stop (SIGTERM), kills those that still run 2 s later, and returns when none
// is left. Should the supervisor itself be killed, the kernel kills the processes.
//
// What processes print goes through a [Printer], line by line. It never makes a process wait: if the terminal does not keep up,
// lines are left out, and it says how many.
package supervise
