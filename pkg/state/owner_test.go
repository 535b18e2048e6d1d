package state_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/waldo-robot/waldo/pkg/state"
)

// TestOwner: what root makes in the folder of a user is that user's.
func TestOwner(t *testing.T) {
	const nobody = 65534
	folder := t.TempDir()
	want := os.Geteuid()
	if want == 0 {
		if err := os.Chown(folder, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		want = nobody
	}
	deep := filepath.Join(folder, "a", "b")
	for range 2 {
		if err := state.MakeFolder(deep, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := state.Replace(filepath.Join(deep, "file"), []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	lock, err := state.Take(filepath.Join(deep, "lock"), 0)
	if err != nil {
		t.Fatal(err)
	}
	lock.Release()
	for _, path := range []string{filepath.Dir(deep), deep, filepath.Join(deep, "file"), filepath.Join(deep, "lock")} {
		about, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if owner := about.Sys().(*syscall.Stat_t).Uid; int(owner) != want {
			t.Errorf("%s belongs to %d, want %d", path, owner, want)
		}
	}
	if err := state.MakeFolder(filepath.Join(deep, "file", "x"), 0o750); err == nil {
		t.Error("a folder was made in a file")
	}
}
