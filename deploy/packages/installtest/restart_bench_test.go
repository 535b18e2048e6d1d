package installtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// restarts is how often a camera is restarted in each way.
	restarts = 15
	// settled is how many pictures a viewer has seen before the next restart: a process that ends within 3 s of its start
	// pauses before the next one.
	settled = 120
)

// picture is one that a viewer has.
type picture struct {
	at    time.Time
	epoch string // of the camera's process
}

// viewer watches a camera over WebRTC.
type viewer struct {
	b     *testing.B
	mu    sync.Mutex
	seen  []picture
	ended bool
}

// watch begins to watch a camera, in a process on the network of the machine.
func (m *machine) watch(b *testing.B, camera string) *viewer {
	b.Helper()
	program := os.Getenv("WALDO_WATCHER")
	if program == "" {
		b.Skip("runs by deploy/packages/check: make packages-bench")
	}
	token, err := os.ReadFile(m.path("etc/waldo/token"))
	if err != nil {
		b.Fatal(err)
	}
	command := exec.Command("nsenter", "--target", strconv.Itoa(m.pid), "--net", program, "http://127.0.0.1:8080/", camera)
	command.Env = append(os.Environ(), "WALDO_TOKEN="+strings.TrimSpace(string(token)))
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	v := &viewer{b: b}
	read := make(chan struct{})
	go func() {
		defer close(read)
		v.read(bufio.NewScanner(out))
	}()
	b.Cleanup(func() {
		_ = command.Process.Kill()
		<-read
		_ = command.Wait() // it was killed
	})
	return v
}

func (v *viewer) read(lines *bufio.Scanner) {
	for lines.Scan() {
		at, epoch, _ := strings.Cut(lines.Text(), " ")
		us, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			v.b.Errorf("the viewer printed %q", lines.Text())
		}
		v.mu.Lock()
		v.seen = append(v.seen, picture{time.UnixMicro(us), epoch})
		v.mu.Unlock()
	}
	v.mu.Lock()
	v.ended = true
	v.mu.Unlock()
}

// count returns how many pictures there were, and the last.
func (v *viewer) count() (int, picture) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended {
		v.b.Fatal("the viewer has ended")
	}
	if len(v.seen) == 0 {
		return 0, picture{}
	}
	return len(v.seen), v.seen[len(v.seen)-1]
}

// first returns the first picture of another process than that of before, if there is one.
func (v *viewer) first(before picture) (picture, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range slices.Backward(v.seen) {
		if p.epoch == before.epoch {
			break
		}
		before.at = p.at
	}
	return before, len(v.seen) > 0 && v.seen[len(v.seen)-1].epoch != before.epoch
}

// BenchmarkRestart measures how long somebody who watches a camera waits for its next picture, from the command on,
// when its unit is restarted and when its process is killed. The yardstick is a unit without a sandbox that does
// nothing: what systemd itself takes on this machine at this time.
func BenchmarkRestart(b *testing.B) {
	const unit = "waldo-device@front.service"
	m := newMachine(b, 1000)
	m.boot()
	m.install(robot...)
	m.picture("front")
	m.run("sh", "-c",
		`printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=sleep infinity\n' >/run/systemd/system/yardstick.service; systemctl daemon-reload`)
	v := m.watch(b, "front")
	for _, way := range []struct {
		name    string
		command []string
	}{
		{"restart", []string{"systemctl", "restart", unit}},
		{"kill", []string{"systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", unit}},
	} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				var waited, yard []float64
				for range restarts {
					yard = append(yard, m.timed("systemctl", "restart", "yardstick.service"))
					waited = append(waited, v.wait(m, way.command))
				}
				slices.Sort(waited)
				slices.Sort(yard)
				b.ReportMetric(waited[restarts/2], "ms-picture-p50")
				b.ReportMetric(waited[restarts-1], "ms-picture-max")
				b.ReportMetric(yard[restarts/2], "ms-yardstick-p50")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("load at the end: %s", load)
}

// wait runs a command that ends the camera's process, and returns how long the next picture takes from then on, in ms.
func (v *viewer) wait(m *machine, command []string) float64 {
	begin, _ := v.count()
	m.eventually("pictures", func() bool { n, _ := v.count(); return n >= begin+settled })
	_, before := v.count()
	began := time.Now()
	m.run(command[0], command[1:]...)
	var next picture
	m.eventually("a picture of the next process", func() (ok bool) { next, ok = v.first(before); return ok })
	return float64(next.at.Sub(began).Microseconds()) / 1000
}

// timed returns how long a command takes, in ms.
func (m *machine) timed(name string, args ...string) float64 {
	began := time.Now()
	m.run(name, args...)
	return float64(time.Since(began).Microseconds()) / 1000
}
