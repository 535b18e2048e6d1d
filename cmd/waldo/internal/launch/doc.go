// Package launch turns a robot.yaml into processes.
//
// [New] finds the program of each device (waldo-<kind>, beside the running program or in PATH) and the
// gateway's. [Plan.Check] then finds out what would go wrong before anything runs: addresses in use, and
// the errors that the programs themselves report about their configuration when run with --check.
// [Plan.Run] runs everything until its context ends: an embedded NATS server unless the robot uses
// another, and the processes under package supervise.
//
// New and Check report all errors at once, each with the field and the remedy.
package launch
