// Package files has what writers and repairers of recordings do with files besides writing: it renames them durably and
// without replacing others, and keeps two processes from changing the same one.
//
// Everything is safe for concurrent use. A lock is the kernel's (flock) and ends with its file, so nothing has to be
// cleaned up after a crash.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrInUse is about a file that is being written or repaired by somebody else.
var ErrInUse = errors.New("another process is writing it")

// Lock keeps others from locking an open file until it is closed. It fails with [ErrInUse].
func Lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return ErrInUse
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS):
		return nil // some network file systems have no locks; the folder's is still there
	case err != nil:
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return nil
}

// InUse reports whether somebody has locked a file.
func InUse(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // nothing was written
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// Rename gives a file a name that no other file has, durably. It fails with [fs.ErrExist] if there is one.
func Rename(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // the file system cannot promise it
		if _, failed := os.Lstat(to); failed == nil {
			err = fs.ErrExist
		} else {
			err = os.Rename(from, to)
		}
	}
	if err != nil {
		return fmt.Errorf("rename %s to %s: %w", from, filepath.Base(to), err)
	}
	return SyncFolder(to)
}

// SyncFolder makes the names of the files durable that are beside a file.
func SyncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
