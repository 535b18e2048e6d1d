package inflight

import (
	"context"
	"sync"
	"time"
)

const (
	// prefixSize is the size of gRPC's prefix of each message.
	prefixSize = 5
	// A reader is asked how much it has read after askFirst, and then more and more rarely.
	askFirst, askLast = time.Millisecond, 20 * time.Millisecond
	// quick is how soon, not counting the round trip, a reader must have read a message to get more in
	// flight.
	quick = 30 * time.Millisecond
	// slow is the time, not counting the round trip, after which a reader is back to one message in flight.
	slow = 100 * time.Millisecond
	// eager is how soon a message follows the previous one if it had to wait.
	eager = time.Millisecond
	// maxAllowed is how many messages may be in flight to the fastest reader.
	maxAllowed = 256
	// mute is how long a client may take for its first window update; one that sends none is not bounded.
	mute = 30 * time.Second
)

// call is one call that sends messages.
type call struct {
	id       string
	stopping context.Context
	window   int   // messages that may be in flight, as the reader requested; 0 if it acknowledges nothing
	conn     *conn // nil if the frames of its connection are not seen, or need not be
	exact    bool  // window updates account for every message
	wake     chan struct{}

	mu       sync.Mutex
	total    int64     // bytes sent
	waiting  []mark    // the messages that the reader is not known to have read
	messages int64     // sent
	read     int64     // messages acknowledged
	granted  int64     // bytes that the reader is known to have read, or to wait for
	initial  int64     // bytes that it receives without reading them
	heard    bool      // of anything granted
	free     bool      // not bounded
	allowed  int       // messages in flight
	prompt   time.Time // when there was room again for a reader that had used up its own, and is quick; zero otherwise
}

// mark is where a message ends, and when it was sent.
type mark struct {
	end int64
	at  time.Time
}

// sending records a message of that size that is about to be sent.
func (c *call) sending(size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages++
	if c.window > 0 || c.conn == nil || c.free {
		return // bytes are not counted, or no longer
	}
	c.total += int64(prefixSize + size)
	if !c.exact {
		return
	}
	c.waiting = append(c.waiting, mark{c.total, time.Now()})
	if !c.prompt.IsZero() && time.Since(c.prompt) < eager {
		c.allowed = min(2*c.allowed, maxAllowed)
	}
	c.prompt = time.Time{}
}

// grant records what the client has granted.
func (c *call) grant(bytes, initial int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.granted, c.initial = bytes, initial
	c.heard = c.heard || bytes > 0
	c.wakeUp()
}

// release stops bounding the call.
func (c *call) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = true
	c.wakeUp()
}

func (c *call) acknowledge(messages int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.window == 0:
		return ErrNoWindow
	case messages > c.messages:
		return ErrAhead
	}
	c.read = max(c.read, messages)
	c.wakeUp()
	return nil
}

// wakeUp requires mu.
func (c *call) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// room waits until another message may be sent, or the server stops.
func (c *call) room(ctx context.Context) error {
	if c.hasRoom(time.Time{}) {
		return ctx.Err()
	}
	begin, pause := time.Now(), askFirst
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for !c.hasRoom(begin) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.stopping.Done():
			return nil
		case <-c.wake:
		case <-timer.C:
			if c.conn != nil && c.exact {
				c.conn.ping()
			}
			pause = min(2*pause, askLast)
			timer.Reset(pause)
		}
	}
	return ctx.Err()
}

// hasRoom records what has been read. Since is when the wait for room began, if there is one.
func (c *call) hasRoom(since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.window > 0:
		return c.messages-c.read < int64(c.window)
	case c.conn == nil || c.free || c.conn.broken.Load():
		return true
	case !c.exact:
		return c.total-c.granted <= max(c.initial, 0)/2
	case !c.heard && !since.IsZero() && time.Since(since) > mute:
		c.free, c.waiting = true, nil // it is not one of the marks that we know
		return true
	}
	for len(c.waiting) > 0 && c.waiting[0].end <= c.granted {
		c.adapt(time.Since(c.waiting[0].at), !since.IsZero())
		c.waiting = c.waiting[1:]
	}
	return len(c.waiting) < c.allowed
}

// adapt adjusts how much may be in flight, by how long a message took and whether there was no room
// meanwhile. It requires mu.
func (c *call) adapt(took time.Duration, full bool) {
	took -= 2 * c.conn.roundTrip()
	switch {
	case took > slow:
		c.allowed = 1
	case took < quick && full:
		c.prompt = time.Now()
	}
}
