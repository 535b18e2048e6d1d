package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/state"
)

// file is the file of a log. It is used by one goroutine, but another process may append to the same file: one that
// takes over from this one, or that has the same name by mistake. So each line is written under the file's lock.
type file struct {
	path string
	max  int64 // of its size; 0: MaxFile
	f    *os.File
	size int64 // when it was last looked at; -1: it was not
	end  ending
}

// append writes a line.
func (f *file) append(l line) error {
	for {
		if err := f.lock(); err != nil {
			return err
		}
		data, hash, err := f.end.encode(l)
		if err != nil {
			f.unlock()
			return err
		}
		if f.size == 0 || f.size+int64(len(data)) <= cmp.Or(f.max, MaxFile) {
			defer f.unlock()
			return f.write(data, hash)
		}
		if err := f.rotate(); err != nil {
			f.unlock()
			return err
		}
	}
}

// encode returns what has to be written for a line to follow, and the hash of that line.
func (e ending) encode(l line) (data []byte, hash string, err error) {
	l.Number, l.Previous = e.next, e.hash
	data, err = json.Marshal(l)
	if err != nil {
		return nil, "", err
	}
	hash = hashOf(data)
	if e.torn {
		data = append([]byte{'\n'}, data...)
	}
	return append(data, '\n'), hash, nil
}

// write writes a line; the lock is held.
func (f *file) write(data []byte, hash string) error {
	if _, err := f.f.Write(data); err != nil {
		f.size = -1 // a part of it may be there
		return err
	}
	f.size += int64(len(data))
	f.end = ending{next: f.end.next + 1, hash: hash}
	return nil
}

// lock opens the file unless it is open, and gets its lock. What others have appended meanwhile is taken into account.
func (f *file) lock() error {
	for {
		if err := f.open(); err != nil {
			return err
		}
		if err := unix.Flock(int(f.f.Fd()), unix.LOCK_EX); err != nil {
			return err
		}
		own, err := f.f.Stat()
		if err != nil {
			f.close()
			return err
		}
		if there, err := os.Stat(f.path); err != nil || !os.SameFile(own, there) {
			f.close() // it was rotated, or removed
			continue
		}
		if own.Size() == f.size {
			return nil
		}
		if f.end, err = f.resume(own.Size()); err != nil {
			f.close()
			return err
		}
		f.size = own.Size()
		return nil
	}
}

func (f *file) unlock() {
	if f.f != nil {
		_ = unix.Flock(int(f.f.Fd()), unix.LOCK_UN) // fails only for a file that is closed
	}
}

// open opens the file unless it is open.
func (f *file) open() error {
	if f.f != nil {
		return nil
	}
	if err := state.MakeFolder(filepath.Dir(f.path), 0o750); err != nil {
		return err
	}
	opened, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	_ = state.Inherit(f.path) // it can be written in any case
	f.f, f.size = opened, -1
	return nil
}

// rotate makes the file an old one, and closes it. Its lock is held until then.
func (f *file) rotate() error {
	for i := Kept; i > 0; i-- {
		if err := os.Rename(old(f.path, i-1), old(f.path, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f.close()
	return nil
}

// sync returns when what was written outlasts a failure of power.
func (f *file) sync() error {
	if f.f == nil {
		return nil
	}
	return f.f.Sync()
}

// old is the path of the i-th old file; the 0th is the one that is written.
func old(path string, i int) string {
	if i == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, i)
}

func (f *file) close() {
	if f.f != nil {
		_ = f.f.Close() // each line was written when it was due
		f.f = nil
	}
}
