// Package version says which Waldo this is. All programs of one release have the same version.
package version

import (
	"runtime/debug"
	"time"
)

// Version is the release, or the next one with `-dev` behind it.
const Version = "0.1.0-dev"

// Day is the day this version was made, or one shortly before. A clock that shows an earlier time is wrong.
var Day = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

// Commit returns the commit the program was built from, or "" if the build did not note it.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return ""
}
