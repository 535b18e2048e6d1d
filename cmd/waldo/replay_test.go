package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// TestReplayRefuses: what cannot be replayed is told before anything runs, with the file or the flag, and no file
// changes.
func TestReplayRefuses(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STATE_DIRECTORY", dir) // the command sets another one
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	states := filepath.Join(dir, "states.mcap")
	f, err := write.Create(states, write.Head{}, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(dir, "good.mcap")
	if err := recordingtest.Record(t, good, 30, 100, write.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"missing":     {[]string{filepath.Join(dir, "none.mcap")}, "none.mcap: no such file"},
		"zero length": {[]string{file("zero.mcap", "")}, "zero.mcap: this is not an MCAP file: it is empty"},
		"foreign":     {[]string{file("video.mp4", "....ftypisom")}, "video.mp4: this is not an MCAP file"},
		"folder":      {[]string{dir}, "it is not a file"},
		"no message":  {[]string{states}, "there is no message in it"},
		"robot":       {[]string{good, "--robot", "My Robot"}, "--robot"},
		"http":        {[]string{good, "--http", "8080"}, "--http"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"replay"}, c.args...), console{&out, &errs})
		if code != device.ExitConfiguration || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: exit %d, %s", name, code, errs.String())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("there are files %v", left)
	}
}

// TestSeparate: the folder for state goes away with the replay; that of one that was killed is removed by the next one,
// and that of one that runs stays.
func TestSeparate(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "")
	dir := t.TempDir()
	killed := filepath.Join(dir, replayFolders+"killed")
	if err := os.MkdirAll(filepath.Join(killed, "audit"), 0o700); err != nil {
		t.Fatal(err)
	}
	remove, err := separate(dir)
	if err != nil {
		t.Fatal(err)
	}
	running := os.Getenv("STATE_DIRECTORY")
	long := time.Now().Add(-time.Hour)
	for _, folder := range []string{killed, running} {
		if err := os.Chtimes(folder, long, long); err != nil {
			t.Fatal(err)
		}
	}
	removeOld(dir)
	if _, err := os.Stat(killed); !os.IsNotExist(err) {
		t.Errorf("the folder of a replay that was killed is still there: %v", err)
	}
	if _, err := os.Stat(running); err != nil {
		t.Errorf("the folder of a replay that runs is gone: %v", err)
	}
	remove()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestReplayStaysHere: a replay is not found where the robot is that it looks like.
func TestReplayStaysHere(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("WALDO_RENDEZVOUS_URL", "https://meet.example.org")
	t.Setenv("WALDO_RENDEZVOUS_TOKEN", "secret")
	remove, err := separate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "WALDO_RENDEZVOUS_") {
			t.Errorf("it keeps %s", variable)
		}
	}
}
