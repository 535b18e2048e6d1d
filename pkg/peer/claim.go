package peer

import (
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// staleFor is how long a publication may be refused for its own connection of before: a device is free again after 5 s
	// without anything from there. staleEvery is how often it is asked meanwhile.
	staleFor, staleEvery = 6 * time.Second, time.Second
)

// claim is the right to send to a device, which a publication's picture and sound share. It may be taken from somebody
// until it was granted once. After a lost connection it is asked for again, and not taken: whoever has lost the device
// to somebody else has lost it for good.
type claim struct {
	device, own string
	listed      func() string // the name of who sends to the device, as it was last listed; empty: nobody

	mu        sync.Mutex
	take      bool
	granted   bool      // once
	confirmed bool      // the list has named us since the last grant
	contested time.Time // since when the device has refused us after a grant; zero: it does not
	over      error     // why the claim has ended; nil while it has not
}

// takes reports whether to take the device from somebody.
func (c *claim) takes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.take
}

// ended returns why the claim is over; nil while it is not.
func (c *claim) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// isContested reports whether the device may refuse us for our own connection of before.
func (c *claim) isContested() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over == nil && !c.contested.IsZero()
}

// grant notes that the device takes what we send.
func (c *claim) grant() {
	listed := c.listed()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take, c.granted, c.contested = false, true, time.Time{}
	c.confirmed = listed == c.own // of before it may still name another
}

// refuse notes that somebody else sends to the device. It reports whether that may be ourselves, so that it is worth
// asking again soon.
func (c *claim) refuse() (soon bool) {
	listed := c.listed()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.granted || c.over != nil:
		return false
	case listed != "" && listed != c.own:
		c.end(listed)
	case c.contested.IsZero():
		c.contested = time.Now()
	case time.Since(c.contested) >= staleFor:
		c.end("somebody else")
	}
	return c.over == nil
}

// name notes whom the list names as sending to the device.
func (c *claim) name(who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.granted || who == "" || c.over != nil:
	case who == c.own:
		c.confirmed = c.confirmed || c.contested.IsZero()
	case c.confirmed || !c.contested.IsZero():
		c.end(who)
	}
}

// end ends the claim; the caller holds mu.
func (c *claim) end(who string) {
	c.over = status.Errorf(codes.AlreadyExists,
		"%s: %q sends to it now, and this publication is over: begin another to ask "+
			"for the device again", c.device, text.Printable(who))
}
