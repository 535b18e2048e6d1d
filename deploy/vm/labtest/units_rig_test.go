package labtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// robotOfUnits uses every kind of hardware that has a unit, by names that stay.
const robotOfUnits = `robot: lab
devices:
  front: {kind: camera, source: %q, format: MJPEG, width: 320, height: 240}
  motors: {kind: serial, port: %q}
  pad: {kind: input, path: %q}
  voice: {kind: audio, source: %q, speaker: %q}
gateway: {http: "127.0.0.1:8080"}
`

// slowGuest has systemd wait for programs as long as tests do: without KVM the guest is ten times slower.
const slowGuest = `[Service]
TimeoutStartSec=5min
WatchdogSec=2min
`

// robotUnits is a robot that systemd runs, installed as the packages do it.
type robotUnits struct{ t *testing.T }

// installUnits puts the programs, the units and the udev rules where the packages have them, and has waldo install make
// the robot of them. At the end of the test nothing of it runs.
func installUnits(t *testing.T) robotUnits {
	t.Helper()
	command(t, "tar", "-x", "-C", "/", "--no-same-owner", "-f", "units.tar")
	for _, name := range []string{"waldo", "waldo-gateway", "waldo-audio", "waldo-camera", "waldo-input", "waldo-serial"} {
		if err := os.Link(name, "/usr/bin/"+name); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	command(t, "systemd-sysusers", "waldo.conf")
	command(t, "udevadm", "control", "--reload")
	robot := fmt.Sprintf(robotOfUnits, webcamByID, lineByID, padByID, loopbackMicrophone, loopbackSpeaker)
	for file, content := range map[string]string{"/etc/waldo/robot.yaml": robot,
		"/etc/systemd/system/waldo-device@.service.d/slow.conf": slowGuest,
		"/etc/systemd/system/waldo-gateway.service.d/slow.conf": slowGuest,
		"/etc/systemd/system/waldo-bus.service.d/slow.conf":     slowGuest} {
		command(t, "mkdir", "-p", file[:strings.LastIndex(file, "/")])
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := robotUnits{t}
	t.Cleanup(func() {
		if t.Failed() {
			said, err := exec.Command("journalctl", "--no-pager", "--output=short-monotonic", "--lines=200").CombinedOutput()
			t.Logf("journal (%v):\n%s", err, said)
		}
		if out, err := exec.Command("waldo", "install", "--remove").CombinedOutput(); err != nil {
			t.Errorf("waldo install --remove: %v\n%s", err, out)
		}
	})
	command(t, "waldo", "install")
	return r
}

// unit names the unit of a device, or of the gateway or the bus.
func unit(name string) string {
	if name == "gateway" || name == "bus" {
		return "waldo-" + name + ".service"
	}
	return "waldo-device@" + name + ".service"
}

// property asks systemd about a unit.
func (r robotUnits) property(name, property string) string {
	r.t.Helper()
	return strings.TrimSpace(command(r.t, "systemctl", "show", "--property="+property, "--value", unit(name)))
}

// await waits until the status of a device's unit begins with a word: "ready", or "away" and the reason.
func (r robotUnits) await(name, word string) {
	r.t.Helper()
	eventually(r.t, name+" "+word, func() bool { return strings.HasPrefix(r.property(name, "StatusText"), word) })
}

// picture waits until a camera delivers a picture, as its user gets it.
func (r robotUnits) picture(name string) {
	r.t.Helper()
	eventually(r.t, "a picture of "+name, func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), patience)
		defer cancel()
		file := r.t.TempDir() + "/picture.jpg"
		return exec.CommandContext(ctx, "waldo", "snapshot", name, "--output", file).Run() == nil && there(file)
	})
}

// opened returns which device files the rules of a unit about devices let a process of it open. The process is root's,
// with all capabilities, so that nothing else forbids it.
func (r robotUnits) opened(name string, files []string) (allowed []string) {
	r.t.Helper()
	group, err := os.Open("/sys/fs/cgroup" + r.property(name, "ControlGroup"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = group.Close() }() // a folder
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	// Each is opened, and nothing read.
	const open = `for file; do dd if="$file" of=/dev/null count=0 iflag=nonblock status=none && echo "opened $file"; done`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", open, "sh"}, files...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	cmd.WaitDelay = time.Second
	out, _ := cmd.CombinedOutput() // its status is that of the last file
	for line := range strings.Lines(string(out)) {
		file, opened := strings.CutPrefix(strings.TrimSpace(line), "opened ")
		switch {
		case opened:
			allowed = append(allowed, file)
		case !strings.Contains(line, "Operation not permitted"):
			r.t.Errorf("as a process of %s: %s", name, line)
		}
	}
	return allowed
}
