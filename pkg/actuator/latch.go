package actuator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/state"
)

// eStop is a latched e-stop, as its file has it.
type eStop struct {
	ID     int64     `json:"id,string"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	Time   time.Time `json:"time"`

	persisted bool
}

// same reports whether the same party pressed it for the same reason; false if there is none.
func (e *eStop) same(other *eStop) bool {
	return e != nil && e.By == other.By && e.Reason == other.Reason
}

// takeOver is how long a device waits for its predecessor to end, which takes 2 s at most when it was asked to.
const takeOver = 2500 * time.Millisecond

// latch keeps an e-stop in a file. The file is there exactly as long as the e-stop is latched.
type latch struct{ file string }

// newLatch makes the folder, and finds out whether files can be written there: an e-stop that could not be kept is
// worth an error before it is needed.
func newLatch(folder, robot, device string) (latch, error) {
	l := latch{filepath.Join(folder, robot, device+".e-stop.json")}
	dir := filepath.Dir(l.file)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return l, fmt.Errorf("a latched e-stop is kept in %s: %w: make the folder, or name another with control.state", dir,
			err)
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return l, fmt.Errorf("a latched e-stop is kept in %s: %w: make the folder writable, or name another with "+
			"control.state", dir, err)
	}
	return l, errors.Join(f.Close(), os.Remove(f.Name()))
}

// lock makes sure that no other process keeps its e-stops in the same file, and so is the same device a second time. A
// predecessor that is stopping gets the time to end.
func (l latch) lock() (*state.Lock, error) {
	held, err := state.Take(strings.TrimSuffix(l.file, ".json")+".lock", takeOver)
	if other := new(state.HeldError); errors.As(err, &other) {
		return nil, fmt.Errorf("%w: %w on the e-stops in %s: this device runs already: stop that process, or keep the "+
			"e-stops of this one in another folder (control.state)", device.ErrTaken, err, filepath.Dir(l.file))
	}
	if err != nil {
		return nil, fmt.Errorf("a latched e-stop is kept in %s: %w: name another folder with control.state",
			filepath.Dir(l.file), err)
	}
	return held, nil
}

// load returns the latched e-stop, nil if there is none. A file that cannot be read counts as one: standing still is
// safe.
func (l latch) load() *eStop {
	data, err := os.ReadFile(l.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var e eStop
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	if err != nil || e.ID <= 0 {
		e = eStop{ID: access.NewID(), By: "waldo", Reason: fmt.Sprintf("the e-stop kept in %s cannot be read: %v", l.file,
			err), Time: time.Now()}
	}
	e.persisted = true
	return &e
}

// store keeps the e-stop, or removes the file if e is nil. It returns when that will outlast a failure of power.
func (l latch) store(e *eStop) error {
	if e == nil {
		if err := os.Remove(l.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncFolder(filepath.Dir(l.file))
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	temporary := l.file + ".new"
	if err := writeSynced(temporary, append(data, '\n')); err != nil {
		return err
	}
	if err := os.Rename(temporary, l.file); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(l.file))
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
