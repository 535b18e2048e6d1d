package recorder

import (
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
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

// heard takes what an actuator says. It returns whether somebody has begun or ceased to drive, and whether an e-stop
// was pressed.
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
