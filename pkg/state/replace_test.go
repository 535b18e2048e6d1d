package state_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/waldo-robot/waldo/pkg/state"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"first", "second, which is longer", ""} {
		if err := state.Replace(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
		if about, err := os.Stat(path); err != nil || about.Mode() != 0o640 {
			t.Errorf("mode %v, %v", about.Mode(), err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
	if err := state.Replace(filepath.Join(dir, "missing", "file"), nil, 0o600); err == nil {
		t.Error("a file in no folder")
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := state.Replace(filepath.Join(dir, "folder"), nil, 0o600); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("after failures the folder has %v, %v", left, err)
	}
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		err    error
		remedy string
	}{
		{syscall.ENOSPC, "make room where /var/lib/waldo is"},
		{syscall.EDQUOT, "make room"},
		{syscall.EROFS, "mount it for writing"},
		{syscall.EACCES, ""},
	} {
		err := &fs.PathError{Op: "open", Path: "/var/lib/waldo/.access.json-1", Err: tt.err}
		got := state.Explain("/var/lib/waldo/access.json", err)
		if !errors.Is(got, tt.err) || !strings.Contains(got.Error(), tt.remedy) ||
			tt.remedy == "" && got.Error() != err.Error() {
			t.Errorf("%v: %v, want %q", tt.err, got, tt.remedy)
		}
	}
	if err := state.Explain("/a", nil); err != nil {
		t.Errorf("of no error: %v", err)
	}
}
