package device

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors that drivers wrap, and services with them.
var (
	// ErrAway means that the hardware is missing, unplugged or does not respond; it may come back.
	ErrAway = errors.New("the hardware is away")
	// ErrBusy means that another program uses the hardware.
	ErrBusy = errors.New("the hardware is busy")
	// ErrStopping means that the process ends: nothing comes after it, nothing new is begun.
	ErrStopping = errors.New("the device is stopping")
)

var errOpening = fmt.Errorf("%w: it is being opened", ErrAway)

// Away returns why hardware is away, as an error that wraps [ErrAway]. Nil stands for hardware that was never open.
func Away(why error) error {
	switch {
	case why == nil:
		return errOpening
	case errors.Is(why, ErrAway):
		return why
	}
	return fmt.Errorf("%w: %w", ErrAway, why)
}

// Status gives an error its gRPC code; a service calls it once, where its methods return. The codes of the service's
// own errors are in the table, of which an error should match one. An [io.EOF], with which readers of a stopping device
// end, is Unavailable. What is a status already stays as it is, and so does nil.
func Status(err error, table map[error]codes.Code) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	code := codeOf(err, table)
	if code == codes.OK {
		return status.Error(codes.Unavailable, ErrStopping.Error())
	}
	return status.Error(code, err.Error())
}

// codeOf prefers what the hardware and the service report to the context in which they do. It returns OK for the end of
// a reader.
func codeOf(err error, table map[error]codes.Code) codes.Code {
	if errors.Is(err, ErrAway) || errors.Is(err, ErrBusy) || errors.Is(err, ErrStopping) {
		return codes.Unavailable
	}
	for known, code := range table {
		if errors.Is(err, known) {
			return code
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return codes.OK
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	}
	return codes.Internal
}
