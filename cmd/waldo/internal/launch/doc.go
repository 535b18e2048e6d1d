// Package launch turns a robot.yaml into processes.
//
// [New] finds the program of each device (waldo-<kind>, beside the running program or in PATH) and the gateway's.
// [Plan.Check] then finds out what would go wrong before anything runs: addresses that are taken, and whatever the programs
// themselves say about their configuration when they are run with --check. [Plan.Run] runs it all until its context
// ends: an embedded NATS server unless the robot uses another, and the processes under package supervise.
//
// New and Check report all that is wrong at once, each error with the field and what to do.
package launch
