// Package text is for texts that come from others and are shown to people: names, reasons, what devices and robots say. It finds and
// escapes what would not be seen as it is: control characters and the escape sequences of terminals, marks that turn the direction of
// what follows, invisible and invalid characters.
//
// Everything is safe for concurrent use.
package text

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// IsPrintable tells whether a text is valid UTF-8 and has only characters that are seen as they are: letters, marks, digits, punctuation,
// symbols, and the ordinary space.
func IsPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Printable escapes what is not printable, as \u202e, and what is no UTF-8 as \ufffd. The rest stays as it is.
func Printable(s string) string { return escape(s, "") }

func escape(s, keep string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			b.WriteString(`\ufffd`)
		case unicode.IsPrint(r) || strings.ContainsRune(keep, r):
			b.WriteRune(r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				_, _ = fmt.Fprintf(&b, `\u%04x`, unit) // never fails
			}
		}
	}
	return b.String()
}

// NewWriter returns a writer that escapes what is not printable before it writes to another, except line breaks and tabs. JSON stays the
// same JSON. What is written at once is a text of its own: characters must not be divided.
func NewWriter(to io.Writer) io.Writer { return writer{to} }

type writer struct{ to io.Writer }

// Write implements [io.Writer].
func (w writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, escape(string(p), "\n\t")); err != nil {
		return 0, err
	}
	return len(p), nil
}
