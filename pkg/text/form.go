package text

import (
	"regexp"
	"strings"
	"sync"
)

// longestName is that of a label of a host name.
const longestName = 63

// IsName reports whether a text may name a robot, a device or a stream: 1 to 63 lower-case ASCII letters, digits and
// inner hyphens, which the subjects of the bus, host names and file names all allow.
func IsName(s string) bool {
	return s != "" && len(s) <= longestName && Only(s, "abcdefghijklmnopqrstuvwxyz0123456789-") &&
		!strings.HasPrefix(s, "-") && !strings.HasSuffix(s, "-")
}

// Only reports whether all characters of a text are among the given ones.
func Only(s, characters string) bool { return strings.Trim(s, characters) == "" }

// Pattern returns a regular expression that is compiled when it is first used, so that a program starts without it.
func Pattern(form string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(form) })
}
