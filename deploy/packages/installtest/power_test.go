package installtest

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var cuts = flag.Int("cuts", 1, "how often TestPowerLoss cuts the power")

// guard is what the virtual machine does at every boot. It waits for a picture, reports which programs gave it, repairs
// what an interrupted upgrade has left, and begins the next one.
const guard = `#!/bin/sh
export HOME=/root DEBIAN_FRONTEND=noninteractive
exec >/dev/ttyS1 2>&1
tries=0
until waldo snapshot front --output /tmp/front.jpg >/tmp/why 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 600 ] || { cat /tmp/why; systemctl --no-pager status 'waldo*'; echo FAILED; systemctl poweroff; exit; }
	sleep 0.2
done
for program in waldo waldo-camera waldo-gateway; do echo "PROGRAM $(sha256sum /usr/bin/$program)"; done
dpkg --configure --pending >/tmp/dpkg 2>&1 || true # what was not yet unpacked comes with the next upgrade
[ -e /next ] || { echo 0 >/next; sync; }
next=$(cat /next)
echo $((1 - next)) >/next.new
sync && mv /next.new /next && sync
echo UPGRADING
dpkg --install /packages/version$next/*.deb >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; echo FAILED; }
sync
[ -z "$(dpkg --audit)" ] || { dpkg --audit; echo FAILED; }
echo UPGRADED
systemctl poweroff
`

const guardUnit = `[Unit]
After=waldo.target
[Service]
Type=oneshot
ExecStart=/packages/guard
[Install]
WantedBy=multi-user.target
`

// Power is lost at any moment of an upgrade, on a real file system: the robot boots and shows a picture, each program is
// the old one or the new one, and dpkg finishes what was interrupted.
func TestPowerLoss(t *testing.T) {
	lab := os.Getenv("WALDO_LAB")
	if lab == "" {
		t.Skip("takes minutes: make packages-test CUTS=5")
	}
	disk, known := robotDisk(t)
	whole := upgradeInGuest(t, lab, disk, known)
	for range *cuts {
		g := startGuest(t, lab, disk)
		g.until("UPGRADING", known)
		moment := time.Duration(rand.Int64N(int64(whole)))
		time.Sleep(moment)
		g.cut()
		t.Logf("power lost %.2f s after an upgrade had begun", moment.Seconds())
	}
	upgradeInGuest(t, lab, disk, known)
}

// upgradeInGuest boots the machine, lets it finish an upgrade, and returns how long that took.
func upgradeInGuest(t *testing.T, lab, disk string, known []string) time.Duration {
	t.Helper()
	g := startGuest(t, lab, disk)
	g.until("UPGRADING", known)
	began := time.Now()
	g.until("UPGRADED", known)
	took := time.Since(began)
	t.Logf("the whole upgrade took %.2f s", took.Seconds())
	for g.lines.Scan() { // until it is off
		t.Log(g.lines.Text())
	}
	return took
}

// guest is the virtual machine.
type guest struct {
	t     *testing.T
	boot  *exec.Cmd
	lines *bufio.Scanner // what the guard says
	limit *time.Timer    // ends a machine that hangs
}

func startGuest(t *testing.T, lab, disk string) *guest {
	t.Helper()
	g := &guest{t: t, boot: exec.Command(lab, "boot", disk)}
	out, err := g.boot.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.boot.Stderr = os.Stderr
	g.lines = bufio.NewScanner(out)
	if err := g.boot.Start(); err != nil {
		t.Fatal(err)
	}
	g.limit = time.AfterFunc(3*patience, func() { _ = g.boot.Process.Kill() })
	t.Cleanup(g.cut)
	return g
}

// until reads what the guard says, up to a word, and checks the programs that it reports.
func (g *guest) until(word string, known []string) {
	g.t.Helper()
	for g.lines.Scan() {
		line := g.lines.Text()
		sum, found := strings.CutPrefix(line, "PROGRAM ")
		switch {
		case strings.HasPrefix(line, word):
			return
		case found && !slices.Contains(known, strings.Fields(sum)[0]):
			g.t.Errorf("a program is neither the old nor the new one: %s", sum)
		case line == "FAILED":
			g.t.Error("the guest has failed; its reasons are above")
		case !found:
			g.t.Log(line)
		}
	}
	g.t.Fatalf("the machine ended before it said %s", word)
}

// cut takes the machine's power away.
func (g *guest) cut() {
	g.limit.Stop()
	_ = g.boot.Process.Kill()
	_ = g.boot.Wait() // it was killed
}

// robotDisk makes a disk with a robot, two versions of its packages, and the guard. It also returns the checksums of
// the programs of both versions.
func robotDisk(t *testing.T) (disk string, known []string) {
	t.Helper()
	m := newMachine(t, 1500)
	m.install(robot...)
	for i := range 2 {
		version := fmt.Sprintf("version%d", i)
		m.repack(version, fmt.Sprint(90+i), func(name, folder string) {
			program := filepath.Join(folder, "usr/bin", name)
			// The programs of the two versions differ behind the end of what is loaded.
			run(t, "sh", "-c", "echo "+version+" >>"+program)
			known = append(known, strings.Fields(run(t, "sha256sum", program))[0])
		}, robot)
	}
	for _, name := range robot {
		known = append(known, strings.Fields(run(t, "sha256sum", m.path("usr/bin/"+name)))[0])
	}
	for file, content := range map[string]string{"packages/guard": guard, "etc/systemd/system/guard.service": guardUnit} {
		if err := os.WriteFile(m.path(file), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.run("systemctl", "enable", "guard.service")
	disk = filepath.Join(t.TempDir(), "robot.img")
	run(t, "sh", "-c", `rm "$0"/packages/*.deb; mke2fs -q -t ext4 -d "$0" "$1" 1500M`, m.root, disk)
	return disk, known
}
