//go:build !linux

package access

// HideMemory does nothing on this system.
func HideMemory() {}
