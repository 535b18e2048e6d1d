package access

import "golang.org/x/sys/unix"

// HideMemory keeps other processes of the same user from reading the memory and the environment of this one, in which
// there are secrets, as far as the system can: root still may. Debuggers and core dumps need root then.
func HideMemory() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) } // cannot fail with these arguments

// ShowMemory calls f, which looks at its own process in /proc, and needs the rights to do so.
func ShowMemory(f func()) {
	if hidden, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err == nil && hidden == 0 {
		_ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) // then f does without
		defer HideMemory()
	}
	f()
}
