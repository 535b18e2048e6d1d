package replay

import (
	"cmp"
	"context"
	"errors"
	"sync"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

// condition is whether the device was away at the place where the player is, and why. It is safe for concurrent use.
type condition struct {
	mu      sync.Mutex
	away    string        // why; empty: it was there
	told    string        // the reason that Run has returned last
	known   bool          // a state has come since the last jump
	changed chan struct{} // closed and replaced with each change
}

func newCondition(first *devicev1.Device) *condition {
	return &condition{away: whyAway(first), changed: make(chan struct{})}
}

// whyAway is why a device was away; empty if it was not.
func whyAway(about *devicev1.Device) string {
	if about.GetState() != devicev1.DeviceState_DEVICE_STATE_AWAY {
		return ""
	}
	return cmp.Or(about.GetStateReason(), "it was away when it was recorded")
}

// jump says that what was known is of another place.
func (c *condition) jump() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = false
}

// take takes a state of the device.
func (c *condition) take(about *devicev1.Device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = true
	c.set(whyAway(about))
}

// settle says that everything has come that shows a place: before its first state the device counts as there.
func (c *condition) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		c.set("")
	}
}

// set changes the reason. mu is held.
func (c *condition) set(away string) {
	if away != c.away {
		c.away = away
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

// check returns what is closed when the condition changes, and why the device is away, as an error.
func (c *condition) check() (changed <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = c.away
	if c.away == "" {
		return c.changed, nil
	}
	return c.changed, errors.New(c.away)
}

// present returns nil once the device is there, or failed is closed, and otherwise why it is away, if it has not been
// told yet, or that ctx has ended.
func (c *condition) present(ctx context.Context, failed <-chan struct{}) error {
	for {
		c.mu.Lock()
		again, changed := c.away != "" && c.away == c.told, c.changed
		c.mu.Unlock()
		if !again {
			_, err := c.check()
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-failed:
			return nil
		case <-changed:
		}
	}
}
