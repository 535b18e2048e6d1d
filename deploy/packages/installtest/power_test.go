package installtest

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var cuts = flag.Int("cuts", 3, "how often TestPowerLoss cuts the power")

// The call of Linux that ends a file system as it is on the disk: what is not yet there, and the part of the journal
// that is not either, is lost.
const (
	shutdownRequest   = 0x8004587d // FS_IOC_SHUTDOWN
	withoutWritingLog = 2
)

// newMachineWithDisk returns a machine that is off, with nothing of Waldo installed, on a file system (ext4) of this
// size in MB on a disk of its own.
func newMachineWithDisk(t testing.TB, size int) *machine {
	t.Helper()
	image := rootImage(t)
	m := &machine{t: t, root: t.TempDir()}
	memory := t.TempDir()
	run(t, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", size+50), "waldo-packages", memory)
	t.Cleanup(func() { run(t, "umount", "--lazy", memory) })
	m.disk = filepath.Join(memory, "disk")
	run(t, "mke2fs", "-q", "-t", "ext4", m.disk, fmt.Sprintf("%dM", size))
	run(t, "mount", "-o", "loop", m.disk, m.root)
	t.Cleanup(func() { run(t, "umount", m.root) })
	m.fill(image)
	return m
}

// cutPower ends the machine as a loss of power does: all processes end at once, and the disk has what was written to it
// by then. The next boot finds the file system so.
func (m *machine) cutPower() {
	m.t.Helper()
	root, err := os.Open(m.root)
	if err != nil {
		m.t.Fatal(err)
	}
	err = cmp.Or(unix.IoctlSetPointerInt(int(root.Fd()), shutdownRequest, withoutWritingLog),
		unix.Kill(m.pid, unix.SIGKILL), m.nspawn.Process.Kill(), root.Close())
	if err != nil {
		m.t.Fatalf("the power could not be cut: %v", err)
	}
	<-m.exited
	m.pid, m.nspawn = 0, nil
	run(m.t, "umount", m.root)
	m.eventually("the disk is free", func() bool { return run(m.t, "losetup", "--associated", m.disk) == "" })
	run(m.t, "mount", "-o", "loop", m.disk, m.root)
}

// Power is lost at any moment of an upgrade: the robot boots and shows pictures of both its cameras, each program is
// the old one or the new one, robot.yaml is as it was edited, and dpkg, and then the same upgrade, finish what was
// interrupted.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	m := newMachineWithDisk(t, 1400)
	versions := []string{"90", "91"}
	programs := map[string][]string{} // the checksums of each
	for _, version := range versions {
		m.repack(version, version, func(name, folder string) {
			program := filepath.Join(folder, "usr/bin", name)
			run(t, "sh", "-c", "echo "+version+" >>"+program) // behind the end of what is loaded
			programs[name] = append(programs[name], checksum(t, program))
		}, robot)
	}
	m.boot()
	m.finish(versions[1])
	edited := m.edit()
	run(t, "sync", "--file-system", m.root) // only what an upgrade writes is at stake
	times := m.measure(versions[0])
	for i := range *cuts {
		version := versions[(i+1)%2]
		moment := times.moment(i)
		m.begin("sh", "-c", upgradeTo(version))
		time.Sleep(moment) // the moment is what is tested
		m.cutPower()
		m.boot()
		m.picture("front")
		m.picture("rear")
		state := m.run("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}; ", robot[0], robot[1], robot[2])
		t.Logf("power lost %.2f s after an upgrade to %s had begun, which takes %.2f: %s", moment.Seconds(), version,
			times.whole.Seconds(), state)
		for name, known := range programs {
			if sum := checksum(t, m.path("usr/bin/"+name)); !slices.Contains(known, sum) {
				t.Errorf("%s is neither the old nor the new one", name)
			}
		}
		m.run("dpkg", "--configure", "-a")
		m.finish(version)
		m.picture("front")
		if content, err := os.ReadFile(m.path("etc/waldo/robot.yaml")); err != nil || string(content) != edited {
			t.Fatalf("robot.yaml is now %q, %v", content, err)
		}
	}
}

// phases are times from the beginning of an upgrade on.
type phases struct{ first, last, whole time.Duration } // the first and the last program is replaced; the end

// moment is when the power is lost for the i-th time: while packages are unpacked, then while what they have is put to
// use, and so on. Most of an upgrade is the second.
func (p phases) moment(i int) time.Duration {
	begin, end := p.first-(p.last-p.first), p.last+(p.last-p.first)/2
	if i%2 == 1 {
		begin, end = p.last, p.whole
	}
	begin = max(begin, 0)
	return begin + time.Duration(rand.Float64()*float64(end-begin))
}

// measure upgrades the machine to a version, and returns when what happens.
func (m *machine) measure(version string) (found phases) {
	m.t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		found.first, found.last = m.replacements(stop)
	}()
	defer func() {
		close(stop)
		<-stopped
	}()
	found.whole = m.finish(version)
	return found
}

// replacements looks at the programs until stop is closed, and returns after what time the first and the last of them
// was another file.
func (m *machine) replacements(stop <-chan struct{}) (first, last time.Duration) {
	begin, before := time.Now(), map[string]os.FileInfo{}
	for again := time.NewTicker(5 * time.Millisecond); ; <-again.C {
		for _, name := range robot {
			now, err := os.Stat(m.path("usr/bin/" + name))
			if err != nil {
				continue // dpkg is in between
			}
			if old := before[name]; old != nil && !os.SameFile(now, old) {
				last = time.Since(begin)
				first = cmp.Or(first, last)
			}
			before[name] = now
		}
		select {
		case <-stop:
			again.Stop()
			return first, last
		default:
		}
	}
}

func upgradeTo(version string) string {
	return "apt-get install --yes --allow-downgrades --reinstall /packages/" + version + "/*.deb 2>&1"
}

// finish upgrades the machine to a version, whatever its state is, and returns how long that took.
func (m *machine) finish(version string) time.Duration {
	m.t.Helper()
	begin := time.Now()
	m.run("sh", "-c", upgradeTo(version))
	took := time.Since(begin)
	if out := m.run("dpkg", "--audit"); out != "" {
		m.t.Errorf("after the upgrade to %s dpkg says:\n%s", version, out)
	}
	for _, name := range robot {
		if got := m.run("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", name); got != version+" installed" {
			m.t.Errorf("%s is %s after the upgrade to %s", name, got, version)
		}
	}
	return took
}

func checksum(t *testing.T, file string) string {
	t.Helper()
	sum, _, _ := strings.Cut(run(t, "sha256sum", file), " ")
	return sum
}
