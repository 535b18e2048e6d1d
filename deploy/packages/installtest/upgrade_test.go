package installtest

import (
	"cmp"
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
	m.run("sh", append([]string{"-c", `apt-get install --yes "$@" /packages/` + version + "/*.deb 2>&1", "apt"}, options...)...)
	for _, name := range names {
		if got := m.run("dpkg-query", "-W", "-f", "${Version}", name); got != version {
			m.t.Fatalf("%s has version %s after the upgrade to %s", name, got, version)
		}
	}
}

// start is when a unit's process began and when it was ready, in microseconds of the machine's clock.
type start struct {
	unit       string
	began, end int
	pid        string
}

// starts returns the robot's units in the order in which they were started.
func (m *machine) starts() []start {
	m.t.Helper()
	var found []start
	for _, unit := range m.active() {
		get := func(property string) string {
			return strings.TrimSpace(m.run("systemctl", "show", "--value", "--property="+property, unit))
		}
		began, err := strconv.Atoi(get("ExecMainStartTimestampMonotonic"))
		if err != nil {
			m.t.Fatal(err)
		}
		end, err := strconv.Atoi(get("ActiveEnterTimestampMonotonic"))
		if err != nil {
			m.t.Fatal(err)
		}
		found = append(found, start{unit: unit, began: began, end: end, pid: get("MainPID")})
	}
	slices.SortFunc(found, func(a, b start) int { return cmp.Compare(a.began, b.began) })
	return found
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

// An upgrade of everything keeps what was changed in robot.yaml, without a question, and restarts one unit after the
// other, the gateway last. Even if the new version comes with another robot.yaml, the edited one stays.
func TestUpgrade(t *testing.T) {
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
		if i > 0 && s.began < after[i-1].end {
			t.Errorf("%s was started before %s was ready", s.unit, after[i-1].unit)
		}
	}
	if last := after[len(after)-1].unit; last != "waldo-gateway.service" {
		t.Errorf("the last was %s", last)
	}
	m.picture("rear")

	m.upgrade("91", func(name, folder string) {
		if name == "waldo" {
			run(t, "sed", "-i", "$a# another default", filepath.Join(folder, "etc/waldo/robot.yaml"))
		}
	}, robot, "-o", "Dpkg::Options::=--force-confold")
	if content, err := os.ReadFile(m.path("etc/waldo/robot.yaml")); err != nil || string(content) != edited {
		t.Errorf("robot.yaml is now %q, %v", content, err)
	}
	m.picture("rear")
}

// An upgrade of one service restarts its devices, and nothing else.
func TestUpgradeOfOneService(t *testing.T) {
	m := newMachine(t, 1200)
	m.boot()
	m.install(robot...)
	m.picture("front")
	before := m.starts()
	m.upgrade("90", nil, []string{"waldo-camera"})
	for _, s := range m.starts() {
		same := slices.ContainsFunc(before, func(b start) bool { return b.pid == s.pid })
		if camera := strings.HasPrefix(s.unit, "waldo-device@"); same == camera {
			t.Errorf("%s: the same process as before: %v", s.unit, same)
		}
	}
	m.picture("front")
}

// A disk that is full lets the upgrade fail, and the robot goes on. When there is room again, the same command works.
func TestUpgradeWithFullDisk(t *testing.T) {
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
	m.run("rm", "/filler")
	m.run("dpkg", "--install", deb)
	if got := m.run("dpkg-query", "-W", "-f", "${Version}", "waldo-camera"); got != version {
		t.Errorf("the version is %s", got)
	}
	m.picture("front")
}

// What somebody drives keeps running the old version, and is restarted once they have let go.
func TestUpgradeWhileDriven(t *testing.T) {
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
	driver()
	m.eventually("the new version", func() bool {
		after := m.starts()
		return len(after) == len(before) && !slices.Equal(after, before)
	})
}
