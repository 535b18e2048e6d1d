// Package captures knows, by the clock of an actuator, when the pictures of a camera were captured.
//
// The camera announces each picture with its capture time, which is a time of the camera's own clock, and with its age.
// A [Ring] notes by the actuator's clock when the announcement came, and so places the capture on that clock; a command
// that names a capture time can then be told how old that picture is now. Clocks are never compared with one another,
// nor taken to be right.
//
// # How wrong that can be
//
// A late announcement makes a picture look newer than it is. The difference between the two clocks is therefore taken
// from the announcement with the least delay, among those of the same run of the camera that came within [Window]
// before the picture's own or at any time after it. A bus or a process that stalls does not make a picture look newer,
// and if the first announcements of all are late, the next one that is not corrects them. What remains is the least
// delay within that time, about a millisecond on one machine.
//
// When the camera's clock is set back by some amount, new pictures look older than they are by that amount, until
// Window has passed. When it is set forward, the pictures from before look older by that amount. Both err on the safe
// side.
//
// If several pictures have the same capture time to within [Tolerance], which can happen after a clock was set back,
// the oldest counts. A picture that has not been announced is not known.
//
// A Ring is safe for concurrent use. It keeps [Size] pictures at most, none older than [Kept].
package captures

import (
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/control"
)

// Bounds of a Ring.
const (
	// Size is how many pictures are remembered: those of 10 s at 200 a second.
	Size = 2048
	// Kept is how long they are remembered: the greatest age at which hardware can be made to stop.
	Kept = 10 * time.Second
	// Window is the time within which the announcement with the least delay is sought.
	Window = 5 * time.Second
	// Tolerance is how far two statements of one capture time may be apart: browsers round it.
	Tolerance = time.Millisecond
)

// maxAge is more than any camera takes to announce a picture.
const maxAge = time.Minute

// Ring remembers pictures. The zero value is ready.
type Ring struct {
	mu   sync.Mutex
	list []picture // of Size at most; the oldest is at next once it is full
	next int
}

// picture is one that was announced.
type picture struct {
	epoch   int64
	time    time.Time     // of its capture, by the camera
	at      control.Clock // of its capture, by the actuator
	arrived control.Clock
	ahead   time.Duration // the actuator's clock against the camera's, when it was announced, and the delay
}

// base is a time to count from, in the range of time.Duration around all clocks that are set.
var base = time.Unix(1_800_000_000, 0)

// Add notes an announcement that arrives now. It reports whether the announcement makes sense.
func (r *Ring) Add(now control.Clock, c *mediav1.Capture) bool {
	age := c.GetAge().AsDuration()
	if c.GetCaptureTime().CheckValid() != nil || c.GetAge().CheckValid() != nil || age > maxAge {
		return false // without an age a picture would look as if it had just been captured
	}
	age = max(age, 0)
	p := picture{epoch: c.GetEpoch(), time: c.GetCaptureTime().AsTime(), arrived: now}
	sent := p.time.Add(age).Sub(base)
	if sent < -maxClock || sent > maxClock {
		return false
	}
	p.ahead = now - sent
	r.mu.Lock()
	defer r.mu.Unlock()
	p.at = p.time.Sub(base) + r.least(p)
	r.correct(p)
	if len(r.list) < Size {
		r.list = append(r.list, p)
		return true
	}
	r.list[r.next] = p
	r.next = (r.next + 1) % Size
	return true
}

// maxClock is how far a camera's clock may be from base: it starts in 1970 on a machine that does not know better.
const maxClock = 100 * 365 * 24 * time.Hour

// least is how far the actuator's clock is ahead of the camera's, by the announcement with the least delay.
func (r *Ring) least(p picture) time.Duration {
	ahead := p.ahead
	for _, q := range r.list {
		if q.epoch == p.epoch && q.arrived >= p.arrived-Window {
			ahead = min(ahead, q.ahead)
		}
	}
	return ahead
}

// correct makes earlier pictures older if an announcement came with less delay than theirs.
func (r *Ring) correct(p picture) {
	for i := range r.list {
		if q := &r.list[i]; q.epoch == p.epoch {
			q.at = min(q.at, q.time.Sub(base)+p.ahead)
		}
	}
}

// Heard returns when the last announcement came; false if none has.
func (r *Ring) Heard() (control.Clock, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 {
		return 0, false
	}
	return r.list[(r.next+len(r.list)-1)%len(r.list)].arrived, true
}

// Find returns when the picture with that capture time was captured, by the actuator's clock; false if none is known.
func (r *Ring) Find(now control.Clock, seen *timestamppb.Timestamp) (control.Clock, bool) {
	if seen == nil {
		return 0, false
	}
	t := seen.AsTime()
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known := control.Clock(0), false
	for _, p := range r.list {
		if d := t.Sub(p.time); d > Tolerance || d < -Tolerance || p.arrived < now-Kept {
			continue
		}
		if !known || p.at < at {
			at, known = p.at, true
		}
	}
	return at, known
}
