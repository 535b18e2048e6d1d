// Package installtest tests the Debian packages on the system they are for: a bare Debian 12 that boots with systemd in
// a container (systemd-nspawn). Packages are installed with apt, upgraded, removed and purged there, as people do it,
// and the robot's page is asked for pictures meanwhile.
//
// The script check beside it makes the root of this system and runs the tests, as root. Elsewhere they are skipped,
// except those that only read the packages.
//
// A test has a [machine] of its own: a copy of the root in memory, with a network that has only a loopback interface.
// It ends with its test, whatever happens; nothing of the host is changed.
package installtest
