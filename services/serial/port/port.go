// Package port is the contract between the serial service and a line to a board: a real one, a pseudo
// terminal, a simulation.
//
// A driver has an open function that returns a Port. When the board goes away, Read and Write fail with
// an error that wraps [device.ErrAway]; the caller then closes the port and opens a new one later.
// Package porttest checks that a driver keeps this contract.
package port

import (
	"errors"
	"io"
)

// ErrPort is for a file that is not a serial line, or that rejects its settings. Drivers wrap it,
// [device.ErrAway] and [device.ErrBusy].
var ErrPort = errors.New("not a usable serial port")

// Port is an open line to a board. Read and Write may be called from one goroutine each, Close from any.
//
// Read waits for bytes and returns as many as are available; it never returns 0 bytes without an error.
// Write returns when all bytes have been handed to the line. Close ends a waiting Read, and may be
// called more than once; Read then fails with an error that wraps os.ErrClosed.
type Port interface {
	io.ReadWriteCloser
}

// Drainer is a port that knows when the bytes written have left the machine. For other ports, the return
// of Write counts as that moment.
type Drainer interface {
	// Drain waits until everything written has been sent.
	Drain() error
}
