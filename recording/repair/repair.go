// Package repair completes recordings that were left behind by a crash, a power failure or a full disk.
//
// A recording is repaired where it is: what follows the last whole chunk is cut off and the index is appended, so that even
// a large file is repaired at once, and with hardly any room on the disk. Interrupted, a repair can be done again. Files
// that are whole are left alone.
//
// Functions may be called concurrently for different files. Nothing needs closing.
package repair

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/write"
)

// Result is what became of a file.
type Result struct {
	Path     string // where it is now
	Messages uint64 // that it has
	Cut      int64  // bytes that were cut off
	Whole    bool   // nothing was to be done
}

// ErrEmpty is about a file without a single message.
var ErrEmpty = errors.New("there is no message in it")

// File completes the file at a path, with or without the suffix .part, and gives it its name without. A file without
// messages fails with [ErrEmpty] and is left as it is.
func File(path string) (Result, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Result{}, err // it names the file
	}
	result, err := complete(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", path, err)
	}
	result.Path = strings.TrimSuffix(path, write.PartSuffix)
	if result.Path == path {
		return result, nil
	}
	return result, rename(path, result.Path)
}

// rename gives a file a name that no other file has.
func rename(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err // it names the files
	}
	if err := os.Remove(from); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func complete(f *os.File) (Result, error) {
	about, err := f.Stat()
	if err != nil {
		return Result{}, err
	}
	x, err := index.Load(f, about.Size())
	if err != nil {
		return Result{}, err
	}
	if x.Indexed {
		return Result{Messages: x.Statistics.MessageCount, Whole: true}, nil
	}
	if err := x.CheckLast(f, about.Size()); err != nil {
		return Result{}, err
	}
	if x.Statistics.MessageCount == 0 {
		return Result{}, ErrEmpty
	}
	result := Result{Messages: x.Statistics.MessageCount, Cut: about.Size() - x.End}
	if err := f.Truncate(x.End); err != nil {
		return Result{}, err
	}
	if _, err := f.Seek(x.End, io.SeekStart); err != nil {
		return Result{}, err
	}
	if err := x.Append(f); err != nil {
		return Result{}, err
	}
	return result, f.Sync()
}

// LeftBehind returns the paths of the recordings in a directory that were not completed, and that nothing has written to
// for some time.
func LeftBehind(directory string, since time.Duration) ([]string, error) {
	all, err := os.ReadDir(directory)
	if err != nil {
		return nil, err // it names the directory
	}
	var paths []string
	for _, one := range all {
		about, err := one.Info()
		if err == nil && one.Type().IsRegular() && write.Part(one.Name()) && time.Since(about.ModTime()) >= since {
			paths = append(paths, filepath.Join(directory, one.Name()))
		}
	}
	return paths, nil
}
