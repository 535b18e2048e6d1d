package connect

import (
	"maps"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// State is where a line stands.
type State int

// States of a line.
const (
	Connecting State = iota // an attempt is under way, or the first picture is awaited
	Connected               // pictures come
	Stalled                 // connected, but no picture has come for too long, or (then Err says so) only old ones
	Waiting                 // the last attempt failed, or the connection broke; the next one comes by itself
	GaveUp                  // nothing is tried until Retry
)

// Status describes a line.
type Status struct {
	State      State
	Since      time.Time   // of the state
	Err        error       // why the camera is not connected, or why nothing of it can be shown; nil while it is
	Reason     feed.Reason // of Err
	Attempts   int64       // to connect, since the process started
	Reconnects int64       // attempts after the first
	Connects   int64       // attempts that led to a picture
	FPS        float64     // pictures per second, measured over the last seconds; 0 while there are none
	Width      int         // of the pictures, pixels; those of the last connection while there is none
	Height     int
	Clock      string        // "rtcp" or "arrival": where capture times come from
	Delay      time.Duration // by how much pictures come later than the earliest possible
	// KeyInterval is the time between key frames that the camera sends, as far as was seen; 0 if unknown
	KeyInterval time.Duration
	Attributes  map[string]string // of the last connection, for people; must not be changed
}

// EventKind says what happened.
type EventKind int

// Kinds of events.
const (
	EventConnected    EventKind = iota + 1 // the first picture of a connection can be shown
	EventDisconnected                      // a connection with pictures ended
	EventGaveUp                            // the last permitted attempt failed
)

// Event is a change that programs wait for.
type Event struct {
	Kind   EventKind
	Time   time.Time
	Status Status // afterwards
}

// Status returns the present status.
func (l *Line) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// set changes the status.
func (l *Line) set(change func(*Status)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setLocked(change)
}

func (l *Line) setLocked(change func(*Status)) {
	before := l.status.State
	change(&l.status)
	if l.status.State != before {
		l.status.Since = time.Now()
	}
}

// said leaves out attributes that say nothing.
func said(attributes map[string]string) map[string]string {
	attributes = maps.Clone(attributes)
	maps.DeleteFunc(attributes, func(_, value string) bool { return value == "" })
	return attributes
}
