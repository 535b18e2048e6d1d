package installtest

import (
	"strings"
	"testing"
)

// property asks systemd about a unit.
func (m *machine) property(unit, name string) string {
	m.t.Helper()
	return strings.TrimSpace(m.run("systemctl", "show", "--property="+name, "--value", unit))
}

// A device that crashes, and one that hangs, is restarted by systemd, also if its process was started by the one before; a
// hang leaves the stacks of its goroutines in the journal, which knows devices by their names.
func TestRestarts(t *testing.T) {
	t.Parallel()
	const unit = front
	m := newMachine(t, 1000)
	m.boot()
	m.install(robot...)
	m.picture("front")
	for _, tt := range []struct {
		signal, result string
		successor      bool
	}{
		{"KILL", "signal", false},
		{"KILL", "signal", true},
		{"STOP", "watchdog", true},
	} {
		before := m.property(unit, "MainPID")
		if tt.successor {
			m.run("systemctl", "reload", unit)
			before = m.mainPID(unit, before)
		}
		begin := strings.TrimSpace(m.run("date", "+%F %T.%6N"))
		m.run("systemctl", "kill", "--kill-whom=main", "--signal=SIG"+tt.signal, unit)
		m.mainPID(unit, before)
		m.picture("front")
		if log := m.run("journalctl", "--no-pager", "--since="+begin, "--unit="+unit); !strings.Contains(log,
			"result '"+tt.result+"'") {
			t.Errorf("after SIG%s the journal does not say %s:\n%s", tt.signal, tt.result, log)
		}
	}
	if log := m.run("journalctl", "--no-pager", "--unit="+unit); !strings.Contains(log, "goroutine ") {
		t.Errorf("the journal has no stacks of the process that did hang:\n%s", log)
	}
	if log := m.run("journalctl", "--no-pager", "WALDO_DEVICE=front"); !strings.Contains(log, "ready") {
		t.Errorf("WALDO_DEVICE=front finds:\n%s", log)
	}
	if status := m.property(unit, "StatusText"); status != "ready" {
		t.Errorf("the status is %q", status)
	}
}

// A file that is wrong changes nothing; one in which a device is new starts that and leaves the others alone.
func TestReload(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1000)
	m.boot()
	m.install(robot...)
	m.picture("front")
	before := m.property("waldo-device@front.service", "MainPID")
	if out, err := m.try("sh", "-c", "echo 'oops: 1' >>/etc/waldo/robot.yaml; waldo reload"); err == nil ||
		!strings.Contains(out, "nothing was changed") {
		t.Errorf("a wrong file: %v, %s", err, out)
	}
	m.run("sh", "-c", `printf 'robot: robot\ndevices:\n  front: {kind: camera, source: test}\n`+
		`  rear: {kind: camera, source: test}\n' >/etc/waldo/robot.yaml; waldo reload`)
	m.picture("rear")
	if out := m.run("waldo", "ls"); !strings.Contains(out, "rear") {
		t.Errorf("waldo ls says:\n%s", out)
	}
	m.run("sh", "-c", "sed -i /rear/d /etc/waldo/robot.yaml; waldo reload")
	if got := m.property("waldo-device@rear.service", "ActiveState"); got != "inactive" {
		t.Errorf("a device that is gone is %s", got)
	}
	if now := m.property("waldo-device@front.service", "MainPID"); now != before {
		t.Error("a device that has not changed was restarted")
	}
}
