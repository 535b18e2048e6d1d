// Package version says which Waldo this is. All programs of one release have the same version.
package version

// Version is the release, or the next one with `-dev` behind it.
const Version = "0.1.0-dev"
