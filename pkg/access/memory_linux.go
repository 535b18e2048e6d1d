package access

import "golang.org/x/sys/unix"

// HideMemory keeps other processes of the same user from reading the memory and the environment of this one, in which
// there are secrets, as far as the system can: root still may. Debuggers and core dumps need root then.
func HideMemory() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) } // cannot fail with these arguments
