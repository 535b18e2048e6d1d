package installtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// probe is a service that uses the same library as the camera, and that needrestart may restart.
const probe = `[Service]
Environment=LD_PRELOAD=/usr/lib/%s/libturbojpeg.so.0
ExecStart=/bin/sleep infinity
`

// Debian's needrestart, which restarts services by itself after an upgrade of a library, and of Waldo, leaves all of a
// robot's units alone. It finds them, and restarts another service for the same reason.
func TestNeedrestart(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1300)
	m.boot()
	m.install(robot...)
	m.picture("front")
	found, err := filepath.Glob(filepath.Join(os.Getenv("WALDO_NEEDRESTART"), "*.deb"))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s has no package of needrestart: %v", os.Getenv("WALDO_NEEDRESTART"), err)
	}
	run(t, "mkdir", m.path("packages/needrestart"))
	run(t, "cp", append(found, m.path("packages/needrestart"))...)
	m.run("sh", "-c", "dpkg --install /packages/needrestart/*.deb 2>&1")
	triplet := strings.TrimSpace(m.run("sh", "-c", "cd /usr/lib; ls -d *-linux-gnu*"))
	unit := strings.Replace(probe, "%s", triplet, 1)
	if err := os.WriteFile(m.path("etc/systemd/system/probe.service"), []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	m.run("systemctl", "start", "probe.service")

	before, old := m.starts(), m.property("probe.service", "MainPID")
	for _, library := range []string{"libturbojpeg.so.0", "libc.so.6"} { // as dpkg replaces them
		m.run("sh", "-c", `cd /usr/lib/$0 && file=$(readlink -f $1) && cp -a $file $file.new && mv $file.new $file`, triplet,
			library)
	}
	out := m.run("needrestart", "-r", "a")
	if now := m.property("probe.service", "MainPID"); now == old {
		t.Errorf("needrestart has not restarted what it may, so this test proves nothing:\n%s", out)
	}
	for _, s := range before {
		if !strings.Contains(out, s.unit) {
			t.Errorf("needrestart does not know that %s uses an old library:\n%s", s.unit, out)
		}
	}
	if after := m.starts(); !slices.Equal(after, before) {
		t.Errorf("needrestart has changed what runs: %v, before %v\n%s", after, before, out)
	}
	m.picture("front")
}
