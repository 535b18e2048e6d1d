package audit

import (
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
	f    *os.File
	size int64
	next int64 // number of the next line
	// torn is set while the end of the file may be half a line.
	torn bool
}

// append writes a line.
func (f *file) append(l line) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.unlock()
	l.Number = f.next
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if f.torn {
		data = append([]byte{'\n'}, data...)
	}
	if f.size > 0 && f.size+int64(len(data)) > MaxFile {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	n, err := f.f.Write(data)
	f.size += int64(n)
	if err != nil {
		f.torn = f.torn || n > 0
		return err
	}
	f.torn = false
	f.next++
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
		if own.Size() != f.size {
			f.size = own.Size()
			f.next, f.torn = last(f.f, f.size)
		}
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
	f.f, f.size, f.torn = opened, 0, false
	return nil
}

// rotate makes room for a new file, in which numbers go on. The lock of the old one is held until that is there.
func (f *file) rotate() error {
	for i := Kept; i > 0; i-- {
		from := f.path
		if i > 1 {
			from = old(f.path, i-1)
		}
		if err := os.Rename(from, old(f.path, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	next := f.next
	f.close()
	if err := f.lock(); err != nil {
		return err
	}
	f.next = max(f.next, next)
	return nil
}

func old(path string, i int) string { return fmt.Sprintf("%s.%d", path, i) }

func (f *file) close() {
	if f.f != nil {
		_ = f.f.Close() // each line was written when it was due
		f.f = nil
	}
}

// last reads the end of a file: the number that follows its last line, and whether half a line comes after that.
func last(f *os.File, size int64) (next int64, torn bool) {
	const most = 8 << 10 // longer than any line
	data := make([]byte, min(size, most))
	if len(data) == 0 {
		return 0, false
	}
	if _, err := f.ReadAt(data, size-int64(len(data))); err != nil {
		return 0, true
	}
	torn = data[len(data)-1] != '\n'
	for _, text := range reversedLines(data) {
		var l line
		if json.Unmarshal(text, &l) == nil && l.Kind != "" {
			return l.Number + 1, torn
		}
	}
	return 0, torn
}
