package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/recording/write"
)

const (
	lockFile = ".waldo-recorder.lock"
	// lockWait is how long a recorder waits for one that is about to end, as when it is restarted.
	lockWait = 2 * time.Second
	// settleTime is how long deleted files may take until their room is free.
	settleTime = 30 * time.Second
)

// Keep is what is kept. The zero value keeps everything.
type Keep struct {
	Recordings   int   // at most, the newest, with the one that is being written; 0: all
	Free         int64 // bytes of the disk that are left free
	DeleteOldest bool  // delete the oldest recordings for that, instead of failing with [ErrFull]
}

// Writer may change a folder.
type Writer struct {
	*Folder
	lock *state.Lock
	free func(path string) (int64, error) // Free, but for tests

	mu   sync.Mutex
	open map[Name]int // recordings of which a file is being written
	// What was promised by what Room has deleted counts as free until then: a file that somebody reads, or a lazy file
	// system, gives its room back later.
	promised int64
	until    time.Time
}

// Own makes a folder if it is missing, and returns its only writer. The error says what helps.
func Own(path string) (*Writer, error) {
	if err := state.MakeFolder(path, 0o750); errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: set `folder` in robot.yaml to a folder", err)
	} else if err != nil {
		return nil, explain(path, err)
	}
	lock, err := state.Take(filepath.Join(path, lockFile), lockWait)
	if held := (*state.HeldError)(nil); errors.As(err, &held) {
		return nil, fmt.Errorf("%s: another recorder records into this folder (%w): give one of them another `folder` in "+
			"robot.yaml", path, held)
	}
	if err != nil {
		return nil, explain(path, err)
	}
	return &Writer{Folder: New(path), lock: lock, free: Free, open: map[Name]int{}}, nil
}

// explain adds to an error what helps against it.
func explain(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: give the user who runs the recorder the right to write to %s, or set another `folder` in "+
			"robot.yaml", err, path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there no folder can be made: set another `folder` in robot.yaml, or make %s by hand", err,
			path)
	}
	return state.Explain(filepath.Join(path, lockFile), err)
}

// Close lets another writer have the folder. What is being written stays open.
func (w *Writer) Close() { w.lock.Release() }

// Create begins a file. Its recording is kept until done is called, after the file was closed or abandoned.
func (w *Writer) Create(n Name, head write.Head, c write.Config) (f *write.File, done func(), err error) {
	if !n.Valid() {
		return nil, nil, fmt.Errorf("%q cannot be the name of a file", n.String())
	}
	which := n.Recording()
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, err = write.Create(filepath.Join(w.path, n.String()), head, c); err != nil {
		return nil, nil, explain(w.path, err)
	}
	w.open[which]++
	return f, sync.OnceFunc(func() { w.release(which) }), nil
}

// release ends what was begun with a file of a recording.
func (w *Writer) release(which Name) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[which]--; w.open[which] == 0 {
		delete(w.open, which)
	}
}

// ErrFull is about a disk with less free space than is to be kept free.
var ErrFull = errors.New("too little room on the disk")

// Room deletes recordings until no more are there than are kept, and, if that is asked for, until enough of the disk is
// free. It fails with [ErrFull] if it is not; if it cannot be, as others have filled the disk, nothing is deleted for
// it. It returns how many bytes are free, and which recordings were deleted. Those that are being written are never
// deleted.
func (w *Writer) Room(k Keep) (free int64, deleted []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all, err := w.groups()
	if err != nil {
		return 0, nil, err
	}
	if free, err = w.free(w.path); err != nil {
		return 0, nil, err
	}
	if time.Now().Before(w.until) {
		free = max(free, w.promised)
	}
	count, old, could := len(all), w.deletable(all), int64(0)
	for _, g := range old {
		could += w.size(g)
	}
	helps := k.DeleteOldest && free+could >= k.Free
	for _, g := range old {
		tooMany := k.Recordings > 0 && count > k.Recordings
		if !tooMany && (free >= k.Free || !helps) {
			break
		}
		free += w.size(g)
		if err := w.remove(g); err != nil {
			return free, deleted, err
		}
		w.promised, w.until = free, time.Now().Add(settleTime)
		deleted = append(deleted, g.name())
		count--
	}
	if free >= k.Free {
		return free, deleted, nil
	}
	return free, deleted, w.TooLittle(free, k.Free)
}

// TooLittle is the [ErrFull] about so much free room where so much is needed. It says what helps.
func (f *Folder) TooLittle(free, needed int64) error {
	return fmt.Errorf("%w: %d MB are free where %s is, and a recording needs %d MB, `keep.free` included: "+
		"delete recordings, or change `keep` in robot.yaml", ErrFull, free/1e6, f.path, needed/1e6)
}

// size is how much of the disk a recording takes.
func (w *Writer) size(g group) (bytes int64) {
	for _, e := range g.files {
		var s unix.Stat_t
		if unix.Stat(filepath.Join(w.path, e.onDisk), &s) == nil && s.Nlink == 1 {
			bytes += s.Blocks * 512 // the unit of blocks, whatever the file system
		}
	}
	return bytes
}

// deletable returns the recordings that are not being written, the oldest first. w.mu is held.
func (w *Writer) deletable(all []group) (old []group) {
	for _, g := range all {
		if w.open[g.first] == 0 {
			old = append(old, g)
		}
	}
	return old
}

// Errors of [Writer.Delete] and [Folder.Find].
var (
	ErrNone = errors.New("there is no such recording")
	ErrOpen = errors.New("it is being written: stop it first")
)

// Delete deletes a recording. It fails with [ErrNone] or [ErrOpen].
func (w *Writer) Delete(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	all, err := w.groups()
	if err != nil {
		return err
	}
	for _, g := range all {
		if g.name() != name {
			continue
		}
		if w.open[g.first] > 0 {
			return fmt.Errorf("%s: %w", name, ErrOpen)
		}
		return w.remove(g)
	}
	return fmt.Errorf("%.128q: %w", name, ErrNone)
}

// remove deletes the files of a recording, the last one first: what a crash leaves is a recording that ends earlier.
func (w *Writer) remove(g group) error {
	for i := len(g.files) - 1; i >= 0; i-- {
		if err := os.Remove(filepath.Join(w.path, g.files[i].onDisk)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err // it names the file
		}
	}
	return nil
}

// Free is how many bytes are free for who asks on the disk of a folder.
func Free(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", path, err)
	}
	return int64(min(s.Bavail, 1<<62/uint64(max(s.Bsize, 1))) * uint64(max(s.Bsize, 1))), nil
}
