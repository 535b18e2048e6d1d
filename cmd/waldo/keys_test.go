package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
)

// environment returns the environment that a process was started with.
func environment(t *testing.T, pid int32) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	return "\x00" + string(text)
}

// TestKeysOfProcesses: a process has a key of its own for the bus and not the token, which opens everything, unless it
// is of a kind that nobody has said anything about.
func TestKeysOfProcesses(t *testing.T) {
	const token = "sixteen-or-more!"
	t.Setenv("PATH", launchtest.Install(t, "waldo", "waldo-camera", "waldo-eye"))
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("WALDO_TOKEN", token)
	nats := free(t)
	text := func(may string) string {
		return fmt.Sprintf("robot: a\ndevices:\n  front: {kind: camera, grpc: \"127.0.0.1:0\"}\n"+
			"  eye: {kind: eye, grpc: \"127.0.0.1:0\"%s}\nnats: {listen: %q}\n", may, nats)
	}
	file := launchtest.WriteRobot(t, text(""))
	start(t, create(t, filepath.Join(t.TempDir(), "log")), "waldo", "up", "--no-gateway", file)
	pids := func() map[string]int32 {
		found := map[string]int32{}
		for _, d := range ls(t, 2, "--nats", "nats://"+nats) {
			found[d.Name] = d.PID
		}
		return found
	}
	before := pids()
	check := func(name string, pid int32, confined bool) {
		given := environment(t, pid)
		if strings.Contains(given, "\x00WALDO_TOKEN="+token) == confined ||
			strings.Contains(given, "\x00WALDO_TOKEN=sha256:") != confined ||
			strings.Contains(given, "\x00WALDO_BUS_SEED_FD=") != confined {
			t.Errorf("%s, confined %v, is given %q", name, confined, given)
		}
		open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil || len(open) == 0 {
			t.Fatal(open, err)
		}
		for _, fd := range open {
			if to, _ := os.Readlink(fd); strings.Contains(to, "memfd:waldo") {
				t.Errorf("%s still has %s open, which what it starts could read", name, to)
			}
		}
	}
	check("front", before["front"], true)
	check("eye", before["eye"], false)
	if err := os.WriteFile(file, []byte(text(", may: {}")), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, err := waldo(t, "reload", "--nats", "nats://"+nats); code != 0 || !strings.Contains(out+err, "eye") {
		t.Fatalf("reload: %d, %s%s", code, out, err)
	}
	after := pids()
	for after["eye"] == before["eye"] {
		after = pids()
	}
	if after["front"] != before["front"] {
		t.Error("the camera was restarted")
	}
	check("eye", after["eye"], true)
}

// create makes an empty file.
func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
