package player

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/recording/play"
)

// fresh is how long ago a clock may have been written that the next process goes on by.
const fresh = 10 * time.Second

// file keeps the clock for the next process.
type file struct {
	path  string
	boot  string // identifies the run of the machine, by which the clock goes
	files []string
}

// kept is what is in the file.
type kept struct {
	Boot    string        `json:"boot"`
	Files   []string      `json:"files"`
	Written time.Duration `json:"written"` // by the clock of package boottime
	Clock   play.Clock    `json:"clock"`
}

// newFile returns the file of a player, whose folder is made.
func newFile(folder, robot, device string, files []string) (*file, error) {
	if err := state.MakeFolder(folder, 0o750); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	boot, err := boottime.Run()
	if err != nil {
		return nil, err
	}
	return &file{path: filepath.Join(folder, robot+"."+device+".player.json"), boot: boot, files: files}, nil
}

// save writes the clock. It is not made durable: after a power failure nobody goes on by it.
func (f *file) save(c play.Clock, now time.Duration) error {
	data, err := json.Marshal(kept{Boot: f.boot, Files: f.files, Written: now, Clock: c})
	if err != nil {
		return err
	}
	next := f.path + ".new"
	if err := os.WriteFile(next, data, 0o640); err != nil {
		return state.Explain(f.path, err)
	}
	return os.Rename(next, f.path)
}

// load returns the clock of a process that was here just now; false if there was none, or the recording is another one.
func (f *file) load(now, duration time.Duration) (play.Clock, bool) {
	data, err := os.ReadFile(f.path)
	var k kept
	if err != nil || json.Unmarshal(data, &k) != nil {
		return play.Clock{}, false // who cannot go on begins anew
	}
	age := now - k.Written
	c := k.Clock
	_, valid := play.ClockOf(c.State(now))
	return c, valid && k.Boot == f.boot && age >= 0 && age <= fresh && slices.Equal(k.Files, f.files) &&
		c.Duration == duration && c.Offset >= 0 && c.Offset <= duration && c.At >= 0 && c.At <= k.Written
}
