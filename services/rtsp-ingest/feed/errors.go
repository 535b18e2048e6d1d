package feed

import (
	"errors"
	"fmt"

	"github.com/waldo-robot/waldo/pkg/device"
)

// Reason says what kind of trouble a connection met; the policy of reconnecting depends on it.
type Reason int

// Reasons. Each error of a protocol is an [Error] with one of them.
const (
	Away Reason = iota // it was reached and then went away, failed, or said nothing in time: try again
	// nobody listens there, or there is no such host, or no publisher comes: try again soon, it costs nothing
	Unreachable
	Refused     // wrong user or password: try again slowly, cameras lock accounts
	NotFound    // the camera has no such stream: slowly
	Full        // the camera has no room for another viewer: when its session of ours has expired
	Unsupported // nothing the camera sends can be used; the text says what would
	Untrusted   // the certificate is not the pinned one
	Misspelled  // the URL or another key cannot be right: never try again
)

// Error is trouble with a camera, for people: what happened, and what they can do. It never holds a secret.
type Error struct {
	Reason Reason
	Key    string // the key of robot.yaml that it is about, "url" if empty
	Text   string // what happened and the remedy: "the camera refused user and password: check user and password"
	Err    error  // what lies below, nil for none
}

func (e *Error) Error() string { return e.Text }

// Unwrap makes every Error but a Misspelled one a [device.ErrAway].
func (e *Error) Unwrap() []error {
	errs := []error{e.Err}
	if e.Err == nil {
		errs = nil
	}
	if e.Reason != Misspelled {
		errs = append(errs, device.ErrAway)
	}
	return errs
}

// Failf returns an Error. A %w in format is what lies below; its text becomes part of the message, so it must hold no
// secret.
func Failf(reason Reason, key, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Reason: reason, Key: key, Text: err.Error(), Err: errors.Unwrap(err)}
}

// ReasonOf returns the reason of an error, Away for errors of others.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return Away
}
