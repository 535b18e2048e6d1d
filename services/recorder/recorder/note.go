package recorder

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/recording/folder"
)

// noteFile has what is wanted, and what is being recorded, for the next process.
const noteFile = ".waldo-recorder.json"

// noteLife is how old a note may be: the process that wrote it was ended, or killed, and started again.
const noteLife = time.Minute

const (
	// goodLife is how long a process has to record for the crashes before it to be forgiven.
	goodLife = time.Minute
	// mostCrashes is how many processes in a row may crash before that. The next one records only when somebody asks, so
	// that a crash loop neither fills the disk with small files nor has good recordings deleted for them.
	mostCrashes = folder.MaxContinued
)

// note is what the next process has to know.
type note struct {
	Boot   string        `json:"boot"` // the id of the machine's run
	At     time.Duration `json:"at"`   // by the clock of package boottime
	By     string        `json:"by"`
	Reason string        `json:"reason"`
	Token  string        `json:"token,omitempty"`

	Recording string    `json:"recording,omitempty"` // its name; empty: nothing is being recorded
	Time      time.Time `json:"time,omitzero"`       // what At is in the recording
	Crashes   int       `json:"crashes,omitempty"`   // how many processes in a row have crashed too soon, if this one does
}

// wish is what was wanted. How long an e-stop or a drive is recorded begins anew.
func (n note) wish(now time.Time, after time.Duration) wish {
	w := wish{wanted: true, by: n.By, reason: n.Reason, token: n.Token}
	switch n.Reason {
	case reasonEStop:
		w.until = now.Add(after)
	case whenDriven:
		w.until = now.Add(max(after, silence)) // until then it is known whether somebody still drives
	}
	return w
}

// fresh reports whether a note still counts.
func (n note) fresh() bool {
	age := boottime.Now() - n.At
	return age >= 0 && age <= noteLife
}

// note keeps what is wanted, and what is being recorded, for the next process. A disk that is full costs only that.
func (r *recorder) note() {
	path := filepath.Join(r.path, noteFile)
	n, wanted := r.noteNow()
	if !wanted {
		_ = os.Remove(path)
		return
	}
	var err error
	if n.Boot, err = boottime.Run(); err != nil {
		return // nobody could go on by it
	}
	data, err := json.Marshal(n)
	if err == nil {
		err = state.Replace(path, append(data, '\n'), 0o640)
	}
	if err != nil {
		r.kit.Log.Debug("what is wanted cannot be noted", "error", err)
	}
}

// noteNow is the note of the present, and whether something is wanted.
func (r *recorder) noteNow() (n note, wanted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.wish
	n = note{At: boottime.Now(), By: w.by, Reason: w.reason, Token: w.token, Crashes: r.crashes}
	now := time.Now() // after At: should time pass in between, the recording that goes on is that much later
	if r.reel != nil {
		n.Recording, n.Time = r.reel.Name(), r.reel.Time(now).Round(0)
		n.Crashes++
	}
	if r.stopping {
		n.Crashes = 0
	}
	return n, w.wanted
}

// dropNotes removes notes that a process did not get to finish.
func dropNotes(folder string) {
	left, _ := filepath.Glob(filepath.Join(folder, "."+noteFile+"-*")) // fails for a bad pattern only: then they stay
	for _, one := range left {
		_ = os.Remove(one) // likewise
	}
}

// readNote returns what the process before this one has left; the zero value: nothing that counts.
func readNote(folder string) note {
	data, err := os.ReadFile(filepath.Join(folder, noteFile))
	var n note
	if err != nil || json.Unmarshal(data, &n) != nil {
		return note{}
	}
	if run, err := boottime.Run(); err != nil || n.Boot != run {
		return note{}
	}
	if !n.fresh() {
		return note{}
	}
	return n
}
