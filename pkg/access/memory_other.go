//go:build !linux

package access

// HideMemory does nothing on this system.
func HideMemory() {}

// ShowMemory calls f.
func ShowMemory(f func()) { f() }
