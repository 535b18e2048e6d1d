package machine

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// writeProgram writes a program that can be run at once. A process that a parallel test starts while the file is open
// for writing inherits it for a moment, and Linux runs no file that somebody may write to (ETXTBSY).
func writeProgram(path, text string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(text), 0o755)
}

// fakeQEMU returns a machine whose QEMU is a shell script. It runs with the shared folder in $share.
func fakeQEMU(t *testing.T, script string) Machine {
	t.Helper()
	file := filepath.Join(t.TempDir(), "qemu")
	find := `for arg; do case $arg in local,*) share=${arg#*path=};; esac; done` + "\n"
	if err := writeProgram(file, "#!/bin/sh\n"+find+script); err != nil {
		t.Fatal(err)
	}
	return Machine{Image: t.TempDir(), QEMU: file}
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		status int
		err    string // part of the error; empty: none
	}{
		"guest passes":          {"echo 0 >$share/status", 0, ""},
		"guest fails":           {"echo 3 >$share/status", 3, ""},
		"guest says nothing":    {"exit 0", 0, ErrNoStatus.Error()},
		"guest says nonsense":   {"echo maybe >$share/status", 0, ErrNoStatus.Error()},
		"guest says 256":        {"echo 256 >$share/status", 0, ErrNoStatus.Error()},
		"guest says half":       {": >$share/status", 0, ErrNoStatus.Error()},
		"qemu fails":            {"echo no such option >&2; exit 1", 0, "no such option"},
		"qemu fails afterwards": {"echo 0 >$share/status; exit 1", 0, "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			share := t.TempDir()
			if err := os.WriteFile(filepath.Join(share, "status"), []byte("0"), 0o644); err != nil { // of an earlier run
				t.Fatal(err)
			}
			status, err := fakeQEMU(t, c.script).Run(t.Context(), Job{Share: share, Command: []string{"test"}})
			if status != c.status || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("status %d, error %v; want %d, %q", status, err, c.status, c.err)
			}
		})
	}
}

func TestRunPassesTheJob(t *testing.T) {
	t.Parallel()
	share := t.TempDir()
	program := "#!/bin/sh\necho \"$NAME\"; for arg; do echo \"[$arg]\"; done; exit 7\n"
	if err := writeProgram(filepath.Join(share, "prog ram"), program); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	m := fakeQEMU(t, `cd $share; sh ./job; echo $? >status`)
	status, err := m.Run(t.Context(), Job{
		Share:   share,
		Command: []string{"prog ram", "two words", "it's", "$HOME", ""},
		Env:     []string{"NAME=a 'b' $c"},
		Output:  &out,
	})
	want := "a 'b' $c\n[two words]\n[it's]\n[$HOME]\n[]\n"
	if err != nil || status != 7 || out.String() != want {
		t.Errorf("status %d, error %v, output %q; want 7 and %q", status, err, out.String(), want)
	}
}

func TestBoot(t *testing.T) {
	t.Parallel()
	m := fakeQEMU(t, `for arg; do case $arg in id=disk*|*lab=disk*|if=none,id=disk*) echo "$arg"; esac; done`)
	var out bytes.Buffer
	if err := m.Boot(t.Context(), "/a,b.img", &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "file=/a,,b.img\n") || !strings.Contains(out.String(), "lab=disk\n") {
		t.Errorf("QEMU got %q", out.String())
	}
}

func TestRunStopsQEMU(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	m := fakeQEMU(t, "echo $$ >"+pidFile+".new; mv "+pidFile+".new "+pidFile+"; exec sleep 3600")
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		defer cancel(why)
		for ctx.Err() == nil { // until the script runs
			if _, err := os.Stat(pidFile); err == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := m.Run(ctx, Job{Share: t.TempDir(), Command: []string{"test"}}); !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("process %s is still there: %v", pid, err)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	if !canOpen("/dev/kvm") {
		t.Skip("/dev/kvm cannot be opened, nothing to probe: load kvm_intel or kvm_amd, or join the group kvm")
	}
	for name, c := range map[string]struct{ script, want string }{
		"kvm boots":         {"echo LAB-ALIVE", KVM},
		"kvm is refused":    {"exit 1", TCG},
		"kvm comes nowhere": {"echo Probing EDD", TCG},
	} {
		cache := filepath.Join(t.TempDir(), "accelerator")
		m := fakeQEMU(t, c.script)
		if got, err := m.Probe(t.Context(), cache); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
		m.QEMU = "/nonexistent"
		if got, err := m.Probe(t.Context(), cache); err != nil || got != c.want {
			t.Errorf("%s, from the cache: %q, %v; want %q", name, got, err, c.want)
		}
	}
}
