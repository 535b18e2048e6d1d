package write_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/repair"
	"github.com/waldo-robot/waldo/recording/write"
)

// fullDisk turns the test into a program that fills a disk.
const fullDisk = "WALDO_TEST_FULL_DISK"

// TestRealFullDisk: a file system of 3 MB, in a mount namespace of its own, is full during a recording. The recording
// is repaired there, without more room.
func TestRealFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program)
	c.Env = append(os.Environ(), fullDisk+"="+t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := c.CombinedOutput(); errors.Is(err, syscall.EPERM) || bytes.Contains(out, []byte("skip:")) {
		t.Skipf("no mount namespace here: %v %s", err, out)
	} else if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// fillDisk is the program.
func fillDisk(path string) (code int) {
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size=3m"); err != nil {
		fmt.Println("skip:", err)
		return 1
	}
	if err := record(filepath.Join(path, "drive.mcap")); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func record(path string) error {
	f, err := write.Create(path, write.Head{}, write.Config{ChunkBytes: 100_000})
	if err != nil {
		return err
	}
	video, err := f.Add(recordingtest.Video("front"))
	if err != nil {
		return err
	}
	for n := 0; err == nil; n++ {
		err = f.Write(video, recordingtest.Picture(n, 10_000))
		time.Sleep(100 * time.Microsecond) // as long as it is not full
	}
	if closed := f.Close(); !errors.Is(err, syscall.ENOSPC) || !errors.Is(closed, syscall.ENOSPC) {
		return fmt.Errorf("a full disk: %w, then %w", err, closed)
	}
	result, err := repair.File(path + write.PartSuffix)
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	r, err := read.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // it was read only
	if r.Count() < 200 || r.Count() != result.Messages || result.Cut == 0 || r.Damage() != nil {
		return fmt.Errorf("%d messages, %+v, %w", r.Count(), result, r.Damage())
	}
	return nil
}
