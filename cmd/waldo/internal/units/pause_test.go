package units

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
)

// pausing is where the pauses of units are tried: with a clock of its own, and without waiting.
type pausing struct {
	t      *testing.T
	folder string
	uptime float64 // in seconds
}

func newPausing(t *testing.T) *pausing {
	p := &pausing{t: t, folder: t.TempDir(), uptime: 5.07}
	write(t, filepath.Join(p.folder, "bin/sleep"), "#!/bin/sh\necho \"slept $1\"\n", 0o755)
	return p
}

// after lets a unit live for so many seconds and end, and returns how long it pauses.
func (p *pausing) after(life float64, unit, status string) time.Duration {
	p.t.Helper()
	p.uptime += life
	write(p.t, filepath.Join(p.folder, "uptime"), fmt.Sprintf("%.2f 99.99\n", p.uptime), 0o644)
	cmd := exec.CommandContext(p.t.Context(), deploy+"/pause", unit)
	cmd.Env = []string{"PATH=" + filepath.Join(p.folder, "bin") + ":" + os.Getenv("PATH"), "WALDO_RUN=" + p.folder,
		"WALDO_PROC=" + p.folder, "EXIT_STATUS=" + status}
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	_, text, slept := strings.Cut(strings.TrimSpace(string(out)), "\nslept ")
	if !slept {
		if len(out) > 0 {
			p.t.Errorf("it does not pause, and says %s", out)
		}
		return 0
	}
	pause, err := time.ParseDuration(text + "s")
	if err != nil {
		p.t.Fatal(err)
	}
	p.uptime += pause.Seconds()
	return pause
}

const front = "waldo-device@front.service"

// TestPauses: units that crash pause as processes of the launcher do, and for ever.
func TestPauses(t *testing.T) {
	p := newPausing(t)
	for crashes := 1; crashes <= 12; crashes++ {
		if got, want := p.after(0.2, front, "2"), supervise.Pause(crashes); got != want {
			t.Errorf("crash %d: it pauses %s, want %s", crashes, got, want)
		}
	}
	if got := p.after(0.2, "waldo-gateway.service", "2"); got != 0 {
		t.Errorf("the first crash of another unit: it pauses %s", got)
	}
	if got := p.after(4.1, front, "2"); got != 0 {
		t.Errorf("after a good life it pauses %s", got)
	}
	if got, want := p.after(0.2, front, "2"), supervise.Pause(2); got != want {
		t.Errorf("the crash after that: it pauses %s, want %s", got, want)
	}
}

// TestPausesOfAnyEnd: the pause does not depend on how a unit has ended, unless it is not started again.
func TestPausesOfAnyEnd(t *testing.T) {
	for status, pauses := range map[string]bool{
		"0": true, "1": true, "203": true, "127": true, "226": true, "KILL": true, "": true, "78": false,
	} {
		p := newPausing(t)
		for range 2 {
			p.after(0.1, front, status)
		}
		if got := p.after(0.1, front, status); (got > 0) != pauses {
			t.Errorf("status %q: it pauses %s", status, got)
		}
	}
}

// TestPausesForgetNonsense: a file that was not written in full, or by something else, counts as none.
func TestPausesForgetNonsense(t *testing.T) {
	for _, text := range []string{"", "\n", "3", "3 ", "x y\n", "$(reboot) 1\n", "-1 5\n", "5 5 5\n"} {
		p := newPausing(t)
		write(t, filepath.Join(p.folder, "waldo-restarts", front), text, 0o644)
		if got := p.after(0.1, front, "1"); got != 0 {
			t.Errorf("%q: it pauses %s", text, got)
		}
	}
}

// TestEveryUnitPauses: whatever is restarted at once pauses when that does not help, and never gives up.
func TestEveryUnitPauses(t *testing.T) {
	files, err := filepath.Glob(deploy + "/*.service")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"Restart=always", "RestartSec=0", "StartLimitIntervalSec=0",
			"ExecStopPost=-+/usr/lib/waldo/pause %n", "TimeoutStopSec=4s"} {
			if !strings.Contains(string(text), "\n"+line+"\n") {
				t.Errorf("%s lacks %s", f, line)
			}
		}
	}
}
