package device

import "context"

// Kind is a sort of device with configuration C, a struct with yaml tags.
type Kind[C any] struct {
	// Name is the kind in robot.yaml, for example "camera". The program that runs it is called waldo-<name>.
	Name string
	// Version of the program, in the form 1.2.3.
	Version string
	// Announce says as what kind and version a device is announced, if that follows from its configuration: it stands for
	// a device of another kind. Nil: as Name and Version.
	Announce func(C) (kind, version string)
	// StandIn says that the device stands for another one, as a replay does, and must never be taken for it. It does not
	// start while a device that is no stand-in has its name on the bus, nor while the bus is away, and ends with
	// [ExitAddress] as soon as it hears such a device. Its attribute [ReplayAttribute] tells stand-ins apart.
	StandIn bool
	// Defaults is the configuration where nothing else is said.
	Defaults C
	// OneCore runs the Go code of the process on one core at a time. It is for kinds whose work comes in small pieces:
	// each of these would wake a second thread, which finds nothing to do. Calls of C and of the system do not count, so a
	// device can still use several cores with them. A number in the environment variable GOMAXPROCS takes precedence.
	OneCore bool
	// LargestStep is the size of the largest message, in bytes, that a call may stream to the device; 0 means 4 MiB, which
	// is the limit for all other calls.
	LargestStep int
	// Beside reports whether two processes can have the hardware at the same time. If so, `waldo upgrade` starts a process
	// beside the present one, which takes over when it has its first picture. Otherwise, and if Beside is nil, the present
	// process closes the hardware, and the other one opens it.
	Beside func(C) bool
	// New makes the driver. Services and streams are registered here. Hardware is not opened yet: that is for Run. Calls
	// come once New has returned, perhaps before Run has. An error ends the process with ExitConfiguration.
	New func(*Kit, C) (Driver, error)
}

// announced is what a device is said to be.
func (k Kind[C]) announced(c C) (kind, version string) {
	if k.Announce == nil {
		return k.Name, k.Version
	}
	return k.Announce(c)
}

// Driver works a piece of hardware.
type Driver interface {
	// Run opens the hardware, calls ready once it works, and serves until ctx ends (then it returns nil or ctx's error) or
	// the hardware is gone (then it returns why, for people to read). It leaves nothing open. It is called again after
	// every return, never twice at once. ready may be called from any goroutine; only the first call counts, and none
	// after the return. A panic ends the process, as everywhere in Go; a launcher starts it again.
	Run(ctx context.Context, ready func()) error
}
