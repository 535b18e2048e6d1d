package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/state"
)

func TestFolder(t *testing.T) {
	for name, tt := range map[string]struct {
		configured string
		environ    map[string]string
		want       string
	}{
		"configured": {"/a", map[string]string{"STATE_DIRECTORY": "/b"}, "/a"},
		"systemd":    {"", map[string]string{"STATE_DIRECTORY": "/b:/c", "HOME": "/h"}, "/b"},
		"xdg":        {"", map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/waldo"},
		"home":       {"", map[string]string{"HOME": "/h"}, "/h/.local/state/waldo"},
		"nowhere":    {"", nil, ""},
	} {
		got, err := state.Folder(tt.configured, func(key string) string { return tt.environ[key] })
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

// TestLock: one process at a time holds it, the next one gets it when it is free, and the error names
// the holder.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := state.Take(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = state.Take(path, 0)
	if held := new(state.HeldError); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("a second one: %v, want that process %d has it", err, os.Getpid())
	}
	time.AfterFunc(50*time.Millisecond, first.Release)
	second, err := state.Take(path, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	second.Release()
}

// TestLockFiles: any content of a lock's file is harmless.
func TestLockFiles(t *testing.T) {
	for name, content := range map[string]string{"garbage": "who?", "long": strings.Repeat("9", 1000), "empty": "",
		"negative": "-1"} {
		path := filepath.Join(t.TempDir(), "lock")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := state.Take(path, 0)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = state.Take(path, 0)
		if held := new(state.HeldError); !errors.As(err, &held) || held.PID != 0 ||
			held.Error() != "another process holds it" {
			t.Errorf("%s: %v", name, err)
		}
		l.Release()
	}
	if l, err := state.Take(filepath.Join(t.TempDir(), "missing", "lock"), 0); err == nil {
		l.Release()
		t.Error("a lock in no folder")
	}
}
