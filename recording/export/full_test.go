package export_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/waldo-robot/waldo/recording/export"
)

// noRoom names the recording that the program of TestNoRoom exports.
const noRoom = "EXPORT_WITHOUT_ROOM"

// TestNoRoom: where there is no room for a file, nothing is left of it. The limit counts for a whole process, so it is
// another one.
func TestNoRoom(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program)
	c.Env = append(os.Environ(), noRoom+"="+record(t).path)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// exportWithoutRoom is the program.
func exportWithoutRoom(path string) (code int) {
	if err := tryWithoutRoom(path); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func tryWithoutRoom(path string) error {
	folder := filepath.Dir(path)
	r, err := export.Open([]string{path})
	if err != nil {
		return err
	}
	defer r.Close()
	limit := syscall.Rlimit{Cur: 2000, Max: 2000}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if _, err := r.MP4(context.Background(), filepath.Join(folder, "a.mp4"), export.Choice{}); !errors.Is(err,
		syscall.EFBIG) {
		return fmt.Errorf("MP4 without room: %w", err)
	}
	if _, err := r.CSV(context.Background(), folder, export.Choice{}); !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("CSV without room: %w", err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		return fmt.Errorf("left behind: %v, %w", left, err)
	}
	return nil
}
