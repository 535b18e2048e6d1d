package recorder

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/state"
)

// Reasons of a wish, beside the values of When.
const reasonEStop = "e-stop"

// wish is what is wanted.
type wish struct {
	wanted bool
	by     string    // who or what wants it, or wants it no more
	token  string    // the id of their token; may be empty
	from   string    // their address; may be empty
	reason string    // why it is wanted, or no more
	until  time.Time // zero: until somebody says otherwise
}

// event is one of the audit log about what is wanted.
func (w wish) event(kind audit.Kind, device, file string) audit.Event {
	return audit.Event{Kind: kind, Who: w.by, Token: w.token, From: w.from, Device: device, What: file, Reason: w.reason}
}

// follow brings the wish in line with time, and with who drives. r.mu is held.
func (r *recorder) follow(now time.Time) {
	driven := r.drives.driven()
	switch w := &r.wish; {
	case !w.wanted && r.config.When == whenDriven && driven && !r.drives.declined:
		*w = wish{wanted: true, by: "drive", reason: whenDriven}
	case !w.wanted || w.reason != whenDriven:
	case driven:
		w.until = time.Time{}
	case w.until.IsZero():
		w.until = now.Add(r.config.After)
	}
	if !driven {
		r.drives.declined = false
	}
	if w := &r.wish; w.wanted && !w.until.IsZero() && !now.Before(w.until) {
		*w = wish{by: w.by, reason: "the end of " + w.reason}
	}
}

// pressed reacts to an e-stop. r.mu is held.
func (r *recorder) pressed(now time.Time) {
	until := now.Add(r.config.After)
	switch w := &r.wish; {
	case !r.config.OnEStop:
	case !w.wanted:
		*w = wish{wanted: true, by: reasonEStop, reason: reasonEStop, until: until}
	case !w.until.IsZero() && w.until.Before(until):
		w.until = until
	}
}

// drives are what actuators say of who drives them. recorder.mu guards it.
type drives struct {
	actuators map[string]actuator
	declined  bool // somebody has stopped the recording of the drive that goes on
}

// actuator is what one has said last.
type actuator struct {
	held  bool
	eStop int64 // the id of the one that is latched; 0 for none
	heard time.Time
}

const (
	// silence is after what time an actuator that says nothing counts as one that nobody drives: it says so ten times a
	// second.
	silence = 5 * time.Second
	// maxActuators bounds how many are remembered.
	maxActuators = 256
)

// heard takes what an actuator says. It returns whether somebody has begun or ceased to drive, and whether an e-stop was
// pressed.
func (d *drives) heard(device string, s *controlv1.ControlState, now time.Time) (changed, pressed bool) {
	before, known := d.actuators[device]
	if !known && len(d.actuators) >= maxActuators {
		return false, false
	}
	if d.actuators == nil {
		d.actuators = map[string]actuator{}
	}
	was := d.driven()
	after := actuator{held: s.GetHolder() != "", eStop: s.GetEStop().GetId(), heard: now}
	d.actuators[device] = after
	return d.driven() != was, known && after.eStop != 0 && after.eStop != before.eStop
}

// driven reports whether somebody drives.
func (d *drives) driven() bool {
	for _, a := range d.actuators {
		if a.held {
			return true
		}
	}
	return false
}

// expire forgets who drives an actuator that is silent.
func (d *drives) expire(now time.Time) {
	for device, a := range d.actuators {
		if a.held && now.Sub(a.heard) > silence {
			a.held = false
			d.actuators[device] = a
		}
	}
}

// noteFile has what is wanted, for the next process.
const noteFile = ".waldo-recorder.json"

// noteLife is how old a note may be: the process that wrote it was ended, or killed, and started again.
const noteLife = time.Minute

// note is what the next process has to know.
type note struct {
	Boot   string        `json:"boot"` // the id of the machine's run
	At     time.Duration `json:"at"`   // by the clock of package boottime
	By     string        `json:"by"`
	Reason string        `json:"reason"`
	Token  string        `json:"token,omitempty"`
}

// note keeps what is wanted for the next process. A disk that is full costs only that.
func (r *recorder) note() {
	r.mu.Lock()
	w := r.wish
	r.mu.Unlock()
	path := filepath.Join(r.path, noteFile)
	if !w.wanted {
		_ = os.Remove(path)
		return
	}
	run, err := boottime.Run()
	if err != nil {
		return // nobody could go on by it
	}
	data, err := json.Marshal(note{Boot: run, At: boottime.Now(), By: w.by, Reason: w.reason, Token: w.token})
	if err == nil {
		err = state.Replace(path, append(data, '\n'), 0o640)
	}
	if err != nil {
		r.kit.Log.Debug("what is wanted cannot be noted", "error", err)
	}
}

// readNote returns what was wanted when the process before this one ended.
func readNote(folder string, now time.Time, after time.Duration) wish {
	data, err := os.ReadFile(filepath.Join(folder, noteFile))
	var n note
	if err != nil || json.Unmarshal(data, &n) != nil {
		return wish{}
	}
	if run, err := boottime.Run(); err != nil || n.Boot != run {
		return wish{}
	}
	if age := boottime.Now() - n.At; age < 0 || age > noteLife {
		return wish{}
	}
	w := wish{wanted: true, by: n.By, reason: n.Reason, token: n.Token}
	if n.Reason == reasonEStop || n.Reason == whenDriven {
		w.until = now.Add(after)
	}
	return w
}
