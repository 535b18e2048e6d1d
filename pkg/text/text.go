// Package text is for text that comes from others and is shown to people: names, reasons, descriptions
// by devices and robots. It finds and escapes characters that would not display as themselves: control
// characters and terminal escape sequences, marks that change the direction of the text that follows,
// invisible and invalid characters.
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

// IsPrintable tells whether a text is valid UTF-8 and contains only characters that display as
// themselves: letters, marks, digits, punctuation, symbols, and the ordinary space.
func IsPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Printable escapes unprintable characters, as \u202e, and invalid UTF-8 as \ufffd. The rest stays as it is.
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

// NewWriter returns a writer that escapes unprintable characters, except line breaks and tabs, before it
// writes to another. JSON keeps its meaning. Each Write must contain whole characters.
func NewWriter(to io.Writer) io.Writer { return writer{to} }

type writer struct{ to io.Writer }

// Write implements [io.Writer].
func (w writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, escape(string(p), "\n\t")); err != nil {
		return 0, err
	}
	return len(p), nil
}
