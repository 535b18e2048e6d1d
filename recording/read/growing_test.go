package read_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// TestGrowing: a file that is being written is not damaged, and is found also after it was completed; one that was left
// behind is cut off.
func TestGrowing(t *testing.T) {
	dir := t.TempDir()
	path, left := filepath.Join(dir, "drive.mcap"), filepath.Join(dir, "left.mcap")
	f := recordingtest.Record(t, path, 30, 100, write.Config{})
	recordingtest.Record(t, left, 30, 100, write.Config{}).Abandon()
	check := func(path string, growing, damaged bool) {
		r, err := read.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		if r.Growing() != growing || (r.Damage() != nil) != damaged {
			t.Errorf("%s: %v, %v", path, r.Growing(), r.Damage())
		}
	}
	check(path+write.PartSuffix, true, false)
	check(left+write.PartSuffix, false, true)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check(path+write.PartSuffix, false, false)
}

// TestPipe: what is no file is refused, and not waited for.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe.mcap")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read.Open(path); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Error(err)
	}
}
