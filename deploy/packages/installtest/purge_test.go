package installtest

import (
	"slices"
	"strings"
	"testing"
)

// files returns all files of the machine but those that grow by themselves, or belong to the package manager, or to the
// test.
func (m *machine) files() []string {
	m.t.Helper()
	out := run(m.t, "find", m.root, "-xdev", "(", "-path", m.path("var/log"), "-o", "-path", m.path("var/cache"), "-o",
		"-path", m.path("var/lib/dpkg"), "-o", "-path", m.path("var/lib/apt"), "-o", "-path", m.path("var/lib/systemd"), "-o",
		"-path", m.path("packages"), "-o", "-path", m.path("tmp"), "-o", "-path", m.path("var/tmp"), "-o", "-path",
		m.path("dev"), "-o",
		"-path", m.path("run"), ")", "-prune", "-o", "-print")
	var found []string
	for file := range strings.Lines(out) {
		found = append(found, strings.TrimPrefix(strings.TrimSpace(file), m.root))
	}
	slices.Sort(found)
	return found
}

// After a purge the machine has the files, users and processes that it had before.
func TestPurge(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1000)
	m.boot()
	before, users := m.files(), m.run("getent", "passwd")
	m.install(append(robot, "waldo-serial")...)
	m.picture("front")
	m.edit()
	m.run("apt-get", "purge", "--yes", "waldo*")
	// it fails if there are none
	if units, _ := m.try("systemctl", "list-unit-files", "--no-legend", "waldo*"); units != "" {
		t.Errorf("units remain:\n%s", units)
	}
	if out, err := m.try("sh", "-c", "cat /proc/[0-9]*/comm | grep ^waldo"); err == nil {
		t.Errorf("processes remain:\n%s", out)
	}
	for _, file := range m.files() {
		if _, found := slices.BinarySearch(before, file); !found && !strings.HasPrefix(file, "/etc/.pwd.lock") &&
			!strings.HasSuffix(file, "-") { // the user database keeps its previous version
			t.Errorf("%s remains", file)
		}
	}
	if now := m.run("getent", "passwd"); now != users {
		t.Errorf("users were\n%s, and are\n%s", users, now)
	}
}

// Removed but not purged, the robot stops and keeps its file; installed again it is the same robot.
func TestRemove(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1000)
	m.boot()
	m.install(robot...)
	m.edit()
	m.run("apt-get", "remove", "--yes", "waldo*")
	if units := m.active(); len(units) != 0 {
		t.Errorf("these run without their programs: %q", units)
	}
	m.install(robot...)
	m.picture("rear")
}
