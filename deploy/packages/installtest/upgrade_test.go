package installtest

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// repack makes packages of another version out of those under test, in a folder of the machine's /packages, and changes
// their files. The programs are the same; for dpkg they are other files.
func (m *machine) repack(folder, version string, change func(name, folder string), names []string) {
	m.t.Helper()
	out := m.path("packages/" + folder)
	if err := os.MkdirAll(out, 0o755); err != nil {
		m.t.Fatal(err)
	}
	for _, deb := range debs(m.t) {
		name, _, _ := strings.Cut(filepath.Base(deb), "_")
		if !slices.Contains(names, name) {
			continue
		}
		content := m.t.TempDir()
		run(m.t, "dpkg-deb", "--raw-extract", deb, content)
		run(m.t, "sed", "-i", "s/^Version:.*/Version: "+version+"/", filepath.Join(content, "DEBIAN/control"))
		if change != nil {
			change(name, content)
		}
		run(m.t, "dpkg-deb", "-Znone", "--build", content, filepath.Join(out, name+"_"+version+".deb"))
	}
}

// upgrade installs packages of another version, as [machine.repack] makes them.
func (m *machine) upgrade(version string, change func(name, folder string), names []string, options ...string) {
	m.t.Helper()
	m.repack(version, version, change, names)
	m.run("sh",
		append([]string{"-c", `apt-get install --yes "$@" /packages/` + version + "/*.deb 2>&1", "apt"}, options...)...)
	for _, name := range names {
		if got := m.run("dpkg-query", "-W", "-f", "${Version}", name); got != version {
			m.t.Fatalf("%s has version %s after the upgrade to %s", name, got, version)
		}
	}
}

// start is when a unit's process began and when it served, in microseconds of the machine's clock.
type start struct {
	unit          string
	began, served int
	pid           string
}

// starts returns the robot's units in the order in which their processes began.
func (m *machine) starts() []start {
	m.t.Helper()
	var found []start
	for _, unit := range m.active() {
		pid := m.property(unit, "MainPID")
		found = append(found, start{unit: unit, began: m.began(pid), served: m.served(unit, pid), pid: pid})
	}
	slices.SortFunc(found, func(a, b start) int { return cmp.Compare(a.began, b.began) })
	return found
}

// began is the end of the hundredth of a second in which a process was started.
func (m *machine) began(pid string) int {
	m.t.Helper()
	_, fields, _ := strings.Cut(m.run("cat", "/proc/"+pid+"/stat"), ") ")
	ticks, err := strconv.Atoi(strings.Fields(fields)[19])
	if err != nil {
		m.t.Fatal(err)
	}
	return (ticks + 1) * 1e4
}

// served is when a process has taken over from another one, or, if it has not, when its unit was ready.
func (m *machine) served(unit, pid string) int {
	m.t.Helper()
	at := m.property(unit, "ActiveEnterTimestampMonotonic")
	// it fails if there is none
	out, _ := m.try("journalctl", "--no-pager", "--output=json", "--grep=has taken over", "_PID="+pid)
	if out, _, _ = strings.Cut(out, "\n"); out != "" {
		var entry struct {
			Time string `json:"__MONOTONIC_TIMESTAMP"`
		}
		if err := json.Unmarshal([]byte(out), &entry); err != nil {
			m.t.Fatalf("%v: %s", err, out)
		}
		at = entry.Time
	}
	served, err := strconv.Atoi(at)
	if err != nil {
		m.t.Fatal(err)
	}
	return served
}

// edit gives the robot a second camera.
func (m *machine) edit() string {
	m.t.Helper()
	const edited = "robot: rover\ndevices:\n  front: {kind: camera, source: test}\n  rear: {kind: camera, source: test}\n"
	if err := os.WriteFile(m.path("etc/waldo/robot.yaml"), []byte(edited), 0o640); err != nil {
		m.t.Fatal(err)
	}
	m.run("waldo", "install")
	m.picture("rear")
	return edited
}

// An upgrade of everything keeps what was changed in robot.yaml, without a question, and renews one process after the
// other, the gateway last. If the new version comes with another robot.yaml dpkg asks, and where nobody answers the
// upgrade stops and the robot goes on; with --force-confold the edited file stays.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1500)
	m.boot()
	m.install(robot...)
	m.picture("front")
	edited := m.edit()
	before := m.starts()

	m.upgrade("90", nil, robot)
	var after []start
	m.eventually("only new processes", func() bool {
		after = m.starts()
		return len(after) == len(before) && !slices.ContainsFunc(after, func(s start) bool {
			return slices.ContainsFunc(before, func(b start) bool { return b.pid == s.pid })
		})
	})
	for i, s := range after {
		if i > 0 && s.began < after[i-1].served {
			t.Errorf("%s was started before %s served", s.unit, after[i-1].unit)
		}
	}
	if last := after[len(after)-1].unit; last != "waldo-gateway.service" {
		t.Errorf("the last was %s", last)
	}
	m.picture("rear")

	another := func(name, folder string) {
		if name == "waldo" {
			run(t, "sed", "-i", "$a# another default", filepath.Join(folder, "etc/waldo/robot.yaml"))
		}
	}
	m.repack("asks", "91", another, robot)
	if out, err := m.try("sh", "-c", "apt-get install --yes /packages/asks/*.deb 2>&1 </dev/null"); err == nil ||
		!strings.Contains(out, "conffile prompt") {
		t.Errorf("dpkg did not ask: %v\n%s", err, out)
	}
	m.picture("rear")
	m.run("dpkg", "--configure", "-a", "--force-confold")
	m.upgrade("92", another, robot, "-o", "Dpkg::Options::=--force-confold")
	if content, err := os.ReadFile(m.path("etc/waldo/robot.yaml")); err != nil || string(content) != edited {
		t.Errorf("robot.yaml is now %q, %v", content, err)
	}
	m.picture("rear")
}

// An upgrade of one service renews the processes of its devices, and nothing else; who watches keeps the connection.
func TestUpgradeOfOneService(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1200)
	m.boot()
	m.install(robot...)
	m.picture("front")
	m.repack("90", "90", nil, []string{"waldo-camera"})
	w := m.mjpeg("front")
	before, started := m.starts(), m.property(front, "InvocationID")
	w.pause()
	m.install("90/waldo-camera")
	for _, s := range m.starts() {
		same := slices.ContainsFunc(before, func(b start) bool { return b.pid == s.pid })
		if camera := strings.HasPrefix(s.unit, "waldo-device@"); same == camera {
			t.Errorf("%s: the same process as before: %v", s.unit, same)
		}
	}
	if now := m.property(front, "InvocationID"); now != started {
		t.Error("the unit was restarted, and should have handed over")
	}
	w.more(30)
	t.Logf("the longest pause between two pictures was %v", w.pause())
}

// A disk that is full lets the upgrade fail, and the robot goes on. When there is room again, the same command works.
func TestUpgradeWithFullDisk(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1200)
	m.boot()
	m.install(robot...)
	m.picture("front")
	before := m.starts()
	version := m.run("dpkg-query", "-W", "-f", "${Version}", "waldo-camera")
	deb := strings.TrimSpace(m.run("sh", "-c", "ls /packages/waldo-camera_*.deb"))
	m.run("sh", "-c", "dd if=/dev/zero of=/filler bs=1M 2>/dev/null || true")
	if out, err := m.try("dpkg", "--install", deb); err == nil || !strings.Contains(out, "No space left") {
		t.Fatalf("dpkg on a full disk: %v\n%s", err, out)
	}
	if got := m.starts(); !slices.Equal(got, before) {
		t.Errorf("the full disk has changed what runs: %v, before %v", got, before)
	}
	m.picture("front")
	if out, err := m.try("waldo", "token", "create", "anna", "--role", "driver"); err == nil ||
		!strings.Contains(out, "make room where /var/lib/waldo is") {
		t.Errorf("a token on a full disk: %v\n%s", err, out)
	}
	m.run("waldo", "token", "list")
	m.run("rm", "/filler")
	m.run("dpkg", "--install", deb)
	if got := m.run("dpkg-query", "-W", "-f", "${Version}", "waldo-camera"); got != version {
		t.Errorf("the version is %s", got)
	}
	m.picture("front")
}

// What somebody drives keeps running the old version, and is restarted once they have let go.
func TestUpgradeWhileDriven(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1200)
	m.boot()
	m.install("waldo", "waldo-gateway", "waldo-serial")
	const driven = `robot: rover
devices:
  motors:
    kind: serial
    port: sim
    read: "<IhhiihHB"
    readKeys: [uptime, left, right, x, y, heading, battery, flags]
    startByte: 0x5A
    checksum: crc8
    write: "<hh"
    writeKeys: [left, right]
    writeStartByte: 0xA5
    writeChecksum: crc8
    control: {safe: {left: 0, right: 0}}
`
	if err := os.WriteFile(m.path("etc/waldo/robot.yaml"), []byte(driven), 0o640); err != nil {
		t.Fatal(err)
	}
	m.run("waldo", "install")
	before := m.starts()
	driver := m.begin("waldo", "send", "motors", `{"left": 1, "right": 1}`, "--for", "1h")
	m.eventually("a lease", func() bool {
		out, _ := m.try("waldo", "call", "motors", "GetRestartSafety")
		return strings.Contains(out, "RESTART_OBSTACLE_KIND_LEASE")
	})
	m.upgrade("90", nil, []string{"waldo-serial"})
	if after := m.starts(); !slices.Equal(after, before) {
		t.Errorf("somebody drives, and the upgrade changed what runs: %v, before %v", after, before)
	}
	const waiting = "waldo-restart.service"
	if state := m.property(waiting, "ActiveState"); state != "activating" {
		t.Errorf("%s, which waits until nobody drives, is %s", waiting, state)
	}
	driver()
	m.eventually("the new version", func() bool {
		after := m.starts()
		return len(after) == len(before) && !slices.Equal(after, before)
	})
	m.eventually("the end of "+waiting, func() bool { return m.property(waiting, "ActiveState") == "inactive" })
}
