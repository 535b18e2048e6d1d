// Package port is the contract between the serial service and a line to a board: a real one, a pseudo terminal, a simulation.
//
// A driver has an open function of its own that returns a Port. When the board goes, Read and Write fail with an error that wraps [device.ErrAway];
// the caller then closes the port and opens a new one later. Package porttest checks that a driver keeps this contract.
package port

import (
	"errors"
	"io"
)

// ErrPort is for what is there but is not a serial line, or does not obey. Drivers wrap it, [device.ErrAway] and [device.ErrBusy].
var ErrPort = errors.New("not a usable serial port")

// Port is an open line to a board. Read and Write may be called from one goroutine each, Close from any.
//
// Read waits for bytes and returns as many as there are; it never returns none without an error. Write returns when all bytes were handed to the
// line. Close ends a Read that waits, and may be called more than once; Read fails with an error that wraps os.ErrClosed afterwards.
type Port interface {
	io.ReadWriteCloser
}

// Drainer is a port that knows when the bytes written have left the machine. Without one, Write is taken to be the end.
type Drainer interface {
	// Drain waits until everything that was written has been sent.
	Drain() error
}
