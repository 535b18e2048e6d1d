package robot

import (
	"errors"
	"fmt"
	"strings"

	"github.com/waldo-robot/waldo/pkg/access"
)

// Error is one thing that is wrong in a robot's description.
type Error struct {
	// Origin is where the value was given: `robot.yaml:7`, `--width`, `WALDO_WIDTH`; empty if it was given nowhere, so
	// that a default or the lack of a value is what is wrong.
	Origin string
	// Field is the dotted path of the field, for example `devices.front.width`; empty if Origin says it all.
	Field string
	// Problem says what is wrong and what would be right.
	Problem string

	cause error
}

// Unwrap returns the error behind the problem, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// Error returns origin, field and problem, each where there is one, with a colon between them and without the secrets
// of addresses.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{e.Origin, e.Field, e.Problem} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return access.RedactText(strings.Join(parts, ": "))
}

// FieldError says that the value of a field cannot be used, in the words of the program the field belongs to. It does
// not know where the value came from; [Section.Locate] adds that.
type FieldError struct {
	// Key is the field's key in its section, dotted if it is nested.
	Key string
	// Problem says what is wrong and what would be right.
	Problem string

	cause error
}

// Unwrap returns the error behind the problem, if there is one.
func (e *FieldError) Unwrap() error { return e.cause }

// Error returns key and problem.
func (e *FieldError) Error() string { return access.RedactText(e.Key + ": " + e.Problem) }

// BadField returns a [*FieldError] for a key of the section, for example
//
//	robot.BadField("width", "%d is out of range: use 16 to 7680", c.Width)
//
// The verb %w makes another error its cause, as in fmt.Errorf.
func BadField(key, format string, args ...any) error {
	problem := fmt.Errorf(format, args...)
	return &FieldError{Key: key, Problem: problem.Error(), cause: errors.Unwrap(problem)}
}

// Under returns err with the keys of the field errors within it below another key.
func Under(key string, err error) error {
	var out []error
	each(err, func(e error) {
		var bad *FieldError
		if errors.As(e, &bad) {
			e = &FieldError{Key: join(key, bad.Key), Problem: bad.Problem, cause: bad.cause}
		}
		out = append(out, e)
	})
	return errors.Join(out...)
}

// each calls f for err, or if it was made by errors.Join, for each of the errors in it.
func each(err error, f func(error)) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			each(e, f)
		}
		return
	}
	if err != nil {
		f(err)
	}
}

// locate turns the field errors within err into errors that say where the value came from; others stay as they are.
func locate(err error, at func(key string) (origin, field string)) error {
	var out []error
	each(err, func(e error) {
		var bad *FieldError
		if errors.As(e, &bad) {
			origin, field := at(bad.Key)
			e = &Error{Origin: origin, Field: field, Problem: bad.Problem, cause: bad.cause}
		}
		out = append(out, e)
	})
	return errors.Join(out...)
}

// shorten bounds what an error repeats of its input, and hides secrets in it while it is still whole.
func shorten(s string) string {
	const most = 64
	s = access.RedactText(s)
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
