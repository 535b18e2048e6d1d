package folder

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/repair"
)

// Repaired is what became of a file that was left behind.
type Repaired struct {
	File     string // its name, now
	Messages uint64 // that it has
	Cut      int64  // bytes at its end that could not be kept
	Removed  bool   // there was no message in it
	Err      error  // why it could not be repaired; it is left as it is
}

// Repair completes the files that were left behind by a crash, a power failure or a full disk, and removes those
// without any message. A file that cannot be repaired does not keep others from it. Other recordings can be written
// meanwhile.
func (w *Writer) Repair() ([]Repaired, error) {
	left, done, err := w.leftBehind()
	if err != nil {
		return nil, err
	}
	defer done()
	var all []Repaired
	for _, e := range left {
		all = append(all, w.repair(e))
	}
	return all, nil
}

// leftBehind returns the files that nobody writes, which stay as if they were being written until done is called.
func (w *Writer) leftBehind() (left []entry, done func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all, err := w.groups()
	if err != nil {
		return nil, nil, err
	}
	var busy []Name
	for _, g := range all {
		if w.open[g.first] > 0 {
			continue
		}
		before := len(left)
		for _, e := range g.files {
			if e.part() {
				left = append(left, e)
			}
		}
		if len(left) > before {
			busy = append(busy, g.first)
			w.open[g.first]++
		}
	}
	return left, func() {
		for _, n := range busy {
			w.release(n)
		}
	}, nil
}

func (w *Writer) repair(e entry) Repaired {
	path := filepath.Join(w.path, e.onDisk)
	about, err := os.Stat(path)
	if err != nil {
		return Repaired{File: e.onDisk, Err: err}
	}
	result, err := repair.File(path)
	empty := errors.Is(err, repair.ErrEmpty) || errors.Is(err, index.ErrForeign) && about.Size() == 0
	switch {
	case empty:
		return Repaired{File: e.onDisk, Cut: about.Size(), Removed: true, Err: os.Remove(path)}
	case err != nil:
		return Repaired{File: e.onDisk, Err: err}
	}
	return Repaired{File: e.name.String(), Messages: result.Messages, Cut: result.Cut}
}
