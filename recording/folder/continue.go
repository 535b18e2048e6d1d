package folder

import (
	"errors"
	"fmt"
	"sync"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
)

// MaxContinued bounds how many files a recording may have for it to be continued. All of them are open while it is
// looked at, and a recorder that crashes in a loop adds one each time.
const MaxContinued = 1000

// Continued is a recording that another process has begun, and that can go on.
type Continued struct {
	Next  Name                  // of the file to go on with
	About *recorderv1.Recording // what it has so far
	// Done is to be called when that file was begun, or will not be: until then the recording is kept.
	Done func()
}

// ErrNotContinued is about a recording that cannot go on. The error says why.
var ErrNotContinued = errors.New("it cannot go on")

// Continue completes what was left behind of the recording whose first file has a name, so that it can go on in another
// file. Files that were repaired for it are returned in any case. It fails with [ErrNotContinued] if the recording is
// no longer there from its beginning, if a file of it cannot be repaired, if it has [MaxContinued] files, or is in use.
func (w *Writer) Continue(first Name) (c Continued, repaired []Repaired, err error) {
	first = first.Recording()
	done := sync.OnceFunc(func() { w.release(first) })
	defer func() {
		if err != nil {
			done()
		}
	}()
	g, err := w.keep(first)
	if err == nil {
		err = g.continues()
	}
	if err != nil {
		return Continued{}, nil, err
	}
	for _, e := range g.files {
		if e.part() {
			repaired = append(repaired, w.repair(e))
		}
	}
	for _, one := range repaired {
		if one.Err != nil {
			return Continued{}, repaired, fmt.Errorf("%w: %s cannot be repaired: %w", ErrNotContinued, one.File, one.Err)
		}
	}
	if g, err = w.group(first); err != nil {
		return Continued{}, repaired, err
	}
	c = Continued{Next: first, About: &recorderv1.Recording{}, Done: done}
	if len(g.files) > 0 { // else the only file had no message
		c.Next = g.files[len(g.files)-1].name.Next()
		w.Folder.mu.Lock()
		c.About = w.describe(g)
		w.Folder.mu.Unlock()
	}
	return c, repaired, nil
}

// keep returns what there is of a recording, which nobody deletes or repairs until it is released.
func (w *Writer) keep(first Name) (group, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[first]++
	if w.open[first] > 1 {
		return group{}, fmt.Errorf("%w: it is being written or repaired", ErrNotContinued)
	}
	return w.group(first)
}

// group returns what there is of a recording.
func (f *Folder) group(first Name) (group, error) {
	all, err := f.groups()
	if err != nil {
		return group{}, err
	}
	for _, g := range all {
		if g.first == first {
			return g, nil
		}
	}
	return group{first: first}, nil
}

// continues says why a recording cannot go on, if it cannot.
func (g group) continues() error {
	switch {
	case len(g.files) == 0:
		return fmt.Errorf("%w: its files are gone", ErrNotContinued)
	case g.files[0].name.Number != 1:
		return fmt.Errorf("%w: its first file is gone", ErrNotContinued)
	case len(g.files) >= MaxContinued:
		return fmt.Errorf("%w: it has %d files already", ErrNotContinued, len(g.files))
	}
	return nil
}
