package installtest

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// property asks systemd about a unit.
func (m *machine) property(unit, name string) string {
	m.t.Helper()
	return strings.TrimSpace(m.run("systemctl", "show", "--property="+name, "--value", unit))
}

// A device that crashes, and one that hangs, is restarted by systemd, also if its process was started by the one
// before. A hang leaves the stacks of its goroutines in the journal, which knows devices by their names; for a process
// that it has not started itself, systemd does not wait for them.
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
		{"STOP", "watchdog", false},
		{"KILL", "signal", true},
		{"STOP", "watchdog", true},
	} {
		before := m.property(unit, "MainPID")
		if tt.successor {
			m.run("systemctl", "reload", unit)
			// If it dies while the one before still ends, that one is told of its death, and systemd is not: the unit is
			// restarted as well, but its journal does not say why.
			predecessor := before
			before = m.mainPID(unit, before)
			m.eventually("the end of the process before", func() bool {
				_, err := m.try("test", "-d", "/proc/"+predecessor)
				return err != nil
			})
		}
		begin := strings.TrimSpace(m.run("date", "+%F %T.%6N"))
		m.run("systemctl", "kill", "--kill-whom=main", "--signal=SIG"+tt.signal, unit)
		m.mainPID(unit, before)
		m.picture("front")
		if log := m.run("journalctl", "--no-pager", "--since="+begin, "--unit="+unit); !strings.Contains(log,
			"result '"+tt.result+"'") {
			t.Errorf("after SIG%s the journal does not say %s:\n%s", tt.signal, tt.result, log)
		} else if tt.result == "watchdog" && !tt.successor && !strings.Contains(log, "goroutine ") {
			t.Errorf("the journal has no stacks of the process that did hang:\n%s", log)
		}
	}
	if log := m.run("journalctl", "--no-pager", "WALDO_DEVICE=front"); !strings.Contains(log, "ready") {
		t.Errorf("WALDO_DEVICE=front finds:\n%s", log)
	}
	if status := m.property(unit, "StatusText"); status != "ready" {
		t.Errorf("the status is %q", status)
	}
}

// A device whose program ends at once, or is not there, is started again for ever, ever more slowly, and without a
// command as soon as it works.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	const (
		folder = "/run/systemd/system/" + front + ".d"
		// enough restarts for the longest pauses: 12.7 s in all, or no less than 4 s if the machine is so slow that some
		// lives take 3 s, which is measured in whole seconds. Without pauses they take two.
		enough, least = 9, 4 * time.Second
	)
	m := newMachine(t, 1000)
	m.boot()
	m.install(robot...)
	m.picture("front")
	m.run("mkdir", "-p", folder)
	for _, program := range []string{"/bin/false", "/usr/bin/not-installed"} {
		m.run("sh", "-c", `printf '[Service]\nExecStart=\nExecStart=`+program+`\n' >`+folder+
			`/90-test.conf; systemctl daemon-reload`)
		began := time.Now()
		if out, err := m.try("systemctl", "restart", front); err == nil {
			t.Errorf("%s serves: %s", program, out)
		}
		m.eventually("starts", func() bool {
			starts, _ := strconv.Atoi(m.property(front, "NRestarts"))
			return starts >= enough
		})
		took := time.Since(began)
		t.Logf("%s: %d restarts within %s", program, enough, took)
		if took < least {
			t.Errorf("%s is restarted %d times within %s", program, enough, took)
		}
	}
	m.run("sh", "-c", "rm "+folder+"/90-test.conf; systemctl daemon-reload")
	m.picture("front")
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
