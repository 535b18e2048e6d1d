package pystruct

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrSize is wrapped by the error of [Format.Unpack] about data whose size differs from the format's.
var ErrSize = errors.New("wrong number of bytes")

// FormatError describes what is wrong with a format.
type FormatError struct {
	// Format is the format, as given.
	Format string
	// Offset is the position of the fault in the format, in bytes.
	Offset int
	// Problem is the fault at that position and its remedy.
	Problem string
}

// Error returns the format, the place with the character there, and the problem.
func (e *FormatError) Error() string {
	_, size := utf8.DecodeRuneInString(e.Format[e.Offset:])
	return fmt.Sprintf("struct format %q: %q at offset %d %s", shorten(e.Format), e.Format[e.Offset:e.Offset+size],
		e.Offset, e.Problem)
}

func badFormat(format string, offset int, problem string, args ...any) error {
	return &FormatError{Format: format, Offset: offset, Problem: fmt.Sprintf(problem, args...)}
}

// ValueError describes what is wrong with a value to be packed.
type ValueError struct {
	// Index is the value's place among the values, counted from 0. If there are too few or too many
	// values, it is that of the first that is missing or left over.
	Index int
	// Char is the format character that the value is for, 0 for a value that is left over.
	Char byte
	// Problem is the fault of the value and its remedy.
	Problem string
}

// Error returns the place, the format character and the problem.
func (e *ValueError) Error() string {
	if e.Char == 0 {
		return fmt.Sprintf("values[%d]: %s", e.Index, e.Problem)
	}
	return fmt.Sprintf("values[%d] (%q): %s", e.Index, e.Char, e.Problem)
}

// shorten bounds how much of its input an error quotes.
func shorten(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
