package systemd

import "golang.org/x/sys/unix"

// Conceal keeps the memory, the files and the credentials of this process from others of the same user, if the process
// has credentials of a unit: the units of a robot share a user, and one that was broken into must not read the secrets
// of another from /proc. What it shares with others by way of /proc, as cameras do with raw pictures, is theirs no more.
func Conceal(environ func(string) string) {
	if environ("CREDENTIALS_DIRECTORY") != "" {
		_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // never fails for 0
	}
}

// Reveal calls f, which looks at its own process in /proc, with the rights to do so.
func Reveal(f func()) {
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err == nil && dumpable == 0 {
		_ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) // then f does without
		defer func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }()
	}
	f()
}
