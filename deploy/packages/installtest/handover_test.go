package installtest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const front = "waldo-device@front.service"

// mainPID waits for a main process of a unit other than before, and returns it.
func (m *machine) mainPID(unit, before string) (now string) {
	m.t.Helper()
	m.eventually("another main process of "+unit, func() bool {
		now = m.property(unit, "MainPID")
		return now != before && now != "0" && m.property(unit, "SubState") == "running"
	})
	return now
}

// Reloaded, a unit's process starts another one, which takes over: who watches keeps the connection, and systemd the
// unit, with its sandbox. It restarts and stops the unit with the new process as with the first; see also
// [TestRestarts].
func TestReloadOfUnit(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1000)
	m.boot()
	m.install(robot...)
	m.picture("front")
	w := m.mjpeg("front")
	pid := m.property(front, "MainPID")
	confined := m.confinement(pid)
	for range 2 { // a successor hands over as well
		w.pause()
		m.run("systemctl", "reload", front)
		pid = m.mainPID(front, pid)
		w.more(30)
		t.Logf("the longest pause between two pictures was %v", w.pause())
	}
	if now := m.confinement(pid); !slices.Equal(now, confined) {
		t.Errorf("the new process is confined as\n%s\nand the first one as\n%s", strings.Join(now, "\n"),
			strings.Join(confined, "\n"))
	}
	if restarts, status := m.property(front, "NRestarts"), m.property(front, "StatusText"); restarts != "0" ||
		status != "ready" {
		t.Errorf("systemd has restarted the unit %s times, and its status is %q", restarts, status)
	}
	m.run("systemctl", "restart", front)
	w.more(30)
	m.run("systemctl", "reload", front)
	m.mainPID(front, m.property(front, "MainPID"))
	m.run("systemctl", "stop", front)
	if out, err := m.try("sh", "-c", "cat /proc/[0-9]*/comm | grep ^waldo-camera"); err == nil {
		t.Errorf("the unit was stopped, and a process is left:\n%s", out)
	}
}

// confinement returns what a process of the machine may do.
func (m *machine) confinement(pid string) []string {
	m.t.Helper()
	var found []string
	for line := range strings.Lines(m.run("cat", "/proc/"+pid+"/status")) {
		name, _, _ := strings.Cut(line, ":")
		if slices.Contains([]string{"Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
			"Seccomp_filters", "Umask"}, name) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	for _, file := range []string{"cgroup", "ns/mnt", "ns/net", "ns/uts"} {
		path := "/proc/" + pid + "/" + file
		found = append(found, file+" "+strings.TrimSpace(m.run("sh", "-c", "readlink "+path+" || cat "+path)))
	}
	return found
}

// A new version whose unit says something else is started as that says; a handover would keep the old sandbox.
func TestUpgradeOfUnit(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1200)
	m.boot()
	m.install(robot...)
	m.picture("front")
	before := m.property(front, "InvocationID")
	m.upgrade("90", func(name, folder string) {
		if name == "waldo" {
			run(t, "sed", "-i", "s/^UMask=.*/UMask=0077/", filepath.Join(folder, "usr/lib/systemd/system/waldo-device@.service"))
		}
	}, []string{"waldo", "waldo-camera"})
	if umask := m.property(front, "UMask"); umask != "0077" {
		t.Fatalf("the mask of the new unit is %s", umask)
	}
	if now := m.property(front, "InvocationID"); now == before {
		t.Error("the unit was not restarted")
	}
	if status := m.run("cat", "/proc/"+m.property(front, "MainPID")+"/status"); !strings.Contains(status,
		"Umask:\t0077\n") {
		t.Errorf("the new process runs as the old unit says:\n%s", status)
	}
	m.picture("front")
}
