package feed

import "strings"

// maxWord is how much of what a camera says of itself is kept.
const maxWord = 64

// Printable cuts what a camera or a publisher says of itself, such as the name of its program, to what people can read:
// printable ASCII, at most 64 characters.
func Printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), maxWord)]
}
