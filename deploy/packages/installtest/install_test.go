package installtest

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// robot is what a robot with one camera needs.
var robot = []string{"waldo", "waldo-camera", "waldo-gateway"}

// install installs packages with apt, without a network: what they depend on is there.
func (m *machine) install(names ...string) string {
	m.t.Helper()
	args := []string{"-c", `apt-get install --yes "$@" 2>&1`, "apt"}
	for _, name := range names {
		args = append(args, strings.TrimSpace(m.run("sh", "-c", "ls /packages/"+name+"_*.deb")))
	}
	return m.run("sh", args...)
}

// active returns the units of the robot that run.
func (m *machine) active() []string {
	m.t.Helper()
	out := m.run("systemctl", "list-units", "--state=active", "--type=service", "--plain", "--no-legend", "waldo*")
	var units []string
	for line := range strings.Lines(out) {
		unit, _, _ := strings.Cut(line, " ")
		units = append(units, unit)
	}
	slices.Sort(units)
	return units
}

// After apt install the robot of the file that comes along runs, as it does after the next boot.
func TestInstall(t *testing.T) {
	m := newMachine(t, 1000)
	m.boot()
	begin := time.Now()
	m.install(robot...)
	m.picture("front")
	t.Logf("%.1f s from apt install to the first picture", time.Since(begin).Seconds())
	want := []string{"waldo-bus.service", "waldo-device@front.service", "waldo-gateway.service"}
	if got := m.active(); !slices.Equal(got, want) {
		t.Errorf("these units run: %q, want %q", got, want)
	}
	if groups := strings.Fields(m.run("id", "-nG", "waldo")); !isSubset([]string{"audio", "dialout", "input", "video"},
		groups) {
		t.Errorf("the user waldo is in the groups %q", groups)
	}
	if mode := strings.TrimSpace(m.run("stat", "-c", "%a %U %G", "/etc/waldo/robot.yaml")); mode != "640 root waldo" {
		t.Errorf("/etc/waldo/robot.yaml, which may hold passwords, is %s", mode)
	}
	if mode := strings.TrimSpace(m.run("stat", "-c", "%a %U %s", "/etc/waldo/token")); mode != "600 root 27" {
		t.Errorf("the token of the robot, 26 characters for root alone, is %s", mode)
	}
	if out, err := m.getAs("", "/devices"); err == nil {
		t.Errorf("without its token the gateway answers: %s", out)
	}
	if conffiles := m.run("dpkg-query", "-W", "-f", "${Conffiles}", "waldo"); !strings.Contains(conffiles,
		"/etc/waldo/robot.yaml ") {
		t.Errorf("robot.yaml is no conffile: %s", conffiles)
	}
	m.off()
	m.boot()
	m.picture("front")
}

func isSubset(part, whole []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(whole, s) })
}

// Packages are installed where nothing runs, into an image for robots; the robot runs from its first boot.
func TestInstallWithoutSystemd(t *testing.T) {
	t.Parallel()
	// An image is often made where a robot runs: what has an address there is not in the way of the robot of the image.
	if l, err := net.Listen("tcp", "127.0.0.1:7101"); err == nil { // otherwise somebody has it already
		t.Cleanup(func() { l.Close() })
	}
	m := newMachine(t, 1000)
	m.install(robot...)
	m.boot()
	m.picture("front")
}

// A device whose package is missing is named with its remedy, and the installation succeeds; with the package it runs.
func TestMissingPackage(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1000)
	m.boot()
	out := m.install("waldo", "waldo-gateway")
	if !strings.Contains(out, "waldo-camera") {
		t.Errorf("robot.yaml has a camera, and nothing says that waldo-camera is missing:\n%s", out)
	}
	m.install("waldo-camera")
	m.picture("front")
}
