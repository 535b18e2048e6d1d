package peer

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// State is how the connection to a robot is.
type State int

const (
	// Connecting means: the first connection is being made.
	Connecting State = iota
	// Live means: the robot answers, and packets get through.
	Live
	// Stale means: nothing gets through at present; the connection is being repaired.
	Stale
	// Lost means: the connection is gone; another one is being made, for as long as it takes.
	Lost
	// Refused means: something answers and refuses, for the reason given. It is asked again, less and less often.
	Refused
	// Closed means: the robot was closed, or its context has ended.
	Closed
)

// String returns the state in one word.
func (s State) String() string {
	names := [...]string{"connecting", "live", "stale", "lost", "refused", "closed"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return names[s]
}

// Status is a state, and why.
type Status struct {
	State State
	// Reason says why the state is not Live, for people.
	Reason string
	// Since is when the state began.
	Since time.Time
}

// String returns the status as a log has it.
func (s Status) String() string {
	if s.Reason == "" {
		return s.State.String()
	}
	return s.State.String() + ": " + s.Reason
}

// statusQueue is how many changes may wait for a reader.
const statusQueue = 16

// State returns how the connection is.
func (r *Robot) State() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// States yields the present status and each later one, until ctx ends or the robot is closed, which it yields too. A
// reader that is slow misses the oldest.
func (r *Robot) States(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		r.mu.Lock()
		now := r.status
		later := r.statuses.Subscribe(stream.DropOldest(statusQueue))
		r.mu.Unlock()
		defer later.Close()
		if !yield(now) || now.State == Closed {
			return
		}
		for s, err := range later.All(ctx) {
			if err != nil || !yield(s) {
				return
			}
		}
	}
}

// Wait waits until the connection is live. It returns an error when ctx ends, naming the reason of the last state, and
// at once if the robot refuses us or is closed.
func (r *Robot) Wait(ctx context.Context) error {
	for s := range r.States(ctx) {
		switch s.State {
		case Live:
			return nil
		case Refused, Closed:
			return fmt.Errorf("%s: %s", r.address.base, s)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("%s: %s: %w", r.address.base, r.State(), err)
	}
	return fmt.Errorf("%s: %s", r.address.base, r.State())
}

// become changes the status, unless the robot is closed already.
func (r *Robot) become(s State, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.status
	if old.State == Closed || old.State == s && old.Reason == reason {
		return
	}
	r.status = Status{State: s, Reason: reason, Since: time.Now()}
	if old.State == s {
		r.status.Since = old.Since
	}
	r.log.Debug("the connection changed", "state", s.String(), "reason", reason)
	r.statuses.Publish(r.status)
	if s == Closed {
		r.statuses.Close(nil)
	}
}
