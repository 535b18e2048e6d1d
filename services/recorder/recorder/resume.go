package recorder

import (
	"errors"
	"fmt"
	"time"

	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/services/recorder/preroll"
)

// catchUp is how much of the time is kept in memory during which the recording that goes on is repaired.
const catchUp = time.Minute

// errCrashes is about a recorder that does not record by itself any more.
var errCrashes = fmt.Errorf("the recorder has crashed %d times in a row, each time within %v of the beginning of a "+
	"file: see its log; nothing is recorded until somebody starts a recording", mostCrashes, goodLife)

// inherit takes up what the process before has left: what is wanted, and the recording that is to go on. r.mu is held.
func (r *recorder) inherit(n note, now time.Time) error {
	switch {
	case r.wish.wanted:
	case r.config.When == whenAlways:
		r.wish = wish{wanted: true, by: "boot", reason: whenAlways}
	case n.By != "":
		r.wish = n.wish(now, r.config.After)
	}
	if !r.wish.wanted {
		return nil
	}
	r.kit.Log.Info("it is to be recorded", "why", r.wish.reason, "by", r.wish.by)
	r.crashes = n.Crashes
	if r.gaveUp = r.crashes >= mostCrashes; r.gaveUp {
		r.problem = errCrashes.Error()
		return errCrashes
	}
	if n.Recording != "" {
		r.before = &n
		r.catching, r.buffer = true, preroll.New(max(catchUp, r.config.Preroll+r.config.KeyFrames), int(r.config.PrerollSize))
	}
	return nil
}

// forgive has crashes forgotten, as somebody sees to the recorder.
func (r *recorder) forgive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.crashes, r.gaveUp = 0, false
}

// resumed is a recording that goes on.
type resumed struct {
	folder.Continued
	at time.Time // what the present is in the recording
}

// resume makes the recording of the process before ready to go on, and returns nil if there is none, or if it cannot.
// What is to be recorded meanwhile is kept. r.doing is held.
func (r *recorder) resume(now time.Time) *resumed {
	n := r.before
	if n == nil || !n.fresh() {
		return nil
	}
	one, err := r.resumeBy(*n, now)
	if err != nil {
		r.kit.Log.Warn("another recording begins, as the one before cannot go on", "name", n.Recording, "why", err)
		return nil
	}
	return one
}

// errUnfit is about a note that the folder or the recording contradicts.
var errUnfit = errors.New("it is not what was noted of it")

func (r *recorder) resumeBy(n note, now time.Time) (*resumed, error) {
	name, ok := folder.Parse(n.Recording)
	if !ok || name.Robot != r.kit.Address().Robot {
		return nil, errUnfit
	}
	c, repaired, err := r.owner.Continue(name)
	r.mu.Lock()
	r.mended = append(r.mended, repaired...)
	r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	one := &resumed{c, n.Time.Add(boottime.Now() - n.At - time.Since(now))}
	if about := c.About; about.GetMessageCount() > 0 {
		end := about.GetStartTime().AsTime().Add(about.GetDuration().AsDuration())
		if !end.Before(one.at) {
			c.Done()
			return nil, fmt.Errorf("%w: it ends at %v, and would go on at %v", errUnfit, end, one.at)
		}
	}
	return one, nil
}

// caughtUp has no more kept than the pre-roll. r.doing is held.
func (r *recorder) caughtUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.catching {
		r.catching, r.buffer = false, r.config.buffer()
		r.ears.tune()
		signal(r.left)
	}
}

// takeMended returns the files that were repaired so that a recording could go on, once.
func (r *recorder) takeMended() (all []folder.Repaired) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, r.mended = r.mended, nil
	return all
}
