package fakecam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Kind is something that happens to a camera. A request counts under its method too, as in Kind("DESCRIBE").
type Kind string

// What a camera counts.
const (
	Connected    Kind = "connection opened"
	Disconnected Kind = "connection closed"
	Refused      Kind = "login refused"         // credentials were there, but wrong
	Challenged   Kind = "login asked for"       // there were none, or the nonce was too old
	LoggedIn     Kind = "login accepted"        // one request
	Full         Kind = "viewer refused"        // there were too many
	Opened       Kind = "session opened"        // the first SETUP
	Adopted      Kind = "session adopted"       // by a new connection
	Playing      Kind = "playing"               // PLAY was answered
	TornDown     Kind = "session torn down"     // on request
	Lost         Kind = "session lost"          // its connection went without TEARDOWN
	Expired      Kind = "session expired"       // no keepalive came
	Prolonged    Kind = "session prolonged"     // a keepalive came
	UnitSent     Kind = "unit sent"             // a picture or block of sound
	KeySent      Kind = "key picture sent"      // one of those
	ReportSent   Kind = "report sent"           // an RTCP sender report
	ReportCame   Kind = "report received"       // an RTCP receiver report
	KeyAsked     Kind = "key picture asked for" // RTCP FIR or PLI, or SetSynchronizationPoint
	PLICame      Kind = "PLI received"          // one of those
	FIRCame      Kind = "FIR received"          // one of those
	Spoken       Kind = "packet of the back channel received"
	Asked        Kind = "request sent to the client"
	Answered     Kind = "answer of the client received" // and Kind("answered 200") for its status
	Fetched      Kind = "HTTP request"
	NotModified  Kind = "HTTP 304 sent"
	Published    Kind = "stream published" // by RTMP
)

// counters counts what happens, and wakes those who wait for it.
type counters struct {
	mu      sync.Mutex
	counts  map[Kind]int
	changed chan struct{} // closed at each change
}

func (c *counters) add(k Kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[Kind]int{}
	}
	c.counts[k]++
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// Count returns how many times something has happened.
func (c *counters) Count(k Kind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[k]
}

// Await waits until something has happened at least n times since the start. It returns an error that says what has
// happened instead when ctx ends first.
func (c *counters) Await(ctx context.Context, k Kind, n int) error {
	for {
		have, changed := c.look(k)
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("fakecam: %q %d times instead of %d (%s): %w", k, have, n, c, ctx.Err())
		}
	}
}

// look returns a count, and a channel that is closed when any count changes.
func (c *counters) look(k Kind) (int, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.counts[k], c.changed
}

// String lists everything that has happened.
func (c *counters) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for k, n := range c.counts {
		all = append(all, fmt.Sprintf("%s: %d", k, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
