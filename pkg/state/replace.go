package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Explain adds to an error about a path what helps, if the disk is the reason: that it has no room, or takes no
// changes. Other errors stay as they are.
func Explain(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: make room where %s is, and repeat; nothing was changed", err, filepath.Dir(path))
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: the file system of %s takes no changes: mount it for writing, and repeat", err,
			filepath.Dir(path))
	}
	return err
}

// Replace gives a file new content. Readers see the old or the new one, also after a failure of power, and the old one
// stays if there is no room for the new one. When it returns nil, the new one is on the disk.
func Replace(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already, if all went well
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(mode), Inherit(f.Name()), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
