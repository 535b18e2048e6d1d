package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// target is a file that has its name when it is complete.
type target struct {
	*os.File
	path string
}

// create begins a file. It fails if there is one of the name.
func create(path string) (*target, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s is there already: choose another name, or remove it first", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".*."+filepath.Base(path))
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return nil, &fs.PathError{Op: "create", Path: path, Err: failed.Err} // nobody knows the other name
	}
	if err != nil {
		return nil, err
	}
	return &target{f, path}, nil
}

// discard removes the file, unless it is complete.
func (t *target) discard() {
	if t.File != nil {
		_ = t.Close() // it is removed
		_ = os.Remove(t.Name())
	}
}

// complete gives the file its name. It replaces no other.
func (t *target) complete() error {
	if err := errors.Join(t.Chmod(0o644), t.Sync(), t.Close()); err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	if err := os.Link(t.Name(), t.path); err != nil {
		if err = os.Rename(t.Name(), t.path); err != nil { // a file system without links
			return err
		}
		t.File = nil
		return nil
	}
	_ = os.Remove(t.Name()) // it has its name
	t.File = nil
	return nil
}

// directory makes sure that a directory is there.
func directory(path string) error {
	about, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(path, 0o755)
	case err != nil:
		return err
	case !about.IsDir():
		return fmt.Errorf("%s is not a folder", path)
	}
	return nil
}
