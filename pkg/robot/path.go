package robot

import (
	"path/filepath"
	"slices"
	"strings"
)

// fromFile returns a value as a path that is good in the working directory, if it is a relative path, as the tag says,
// in this file.
func fromFile(file, tag, value string) string {
	rule, words, _ := strings.Cut(tag, " ")
	isPath := true
	switch rule {
	case "except":
		isPath = !slices.Contains(strings.Fields(words), value)
	case "only":
		isPath = slices.ContainsFunc(strings.Fields(words),
			func(end string) bool { return strings.HasSuffix(strings.ToLower(value), end) })
	}
	if !isPath || value == "" || filepath.IsAbs(value) || strings.Contains(value, "://") {
		return value
	}
	return filepath.Join(filepath.Dir(file), value)
}
