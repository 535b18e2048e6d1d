package inflight

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
)

const (
	// prefixSize is what gRPC puts before each message.
	prefixSize = 5
	// A reader is asked for what it has read at first after askFirst, and then more and more seldom.
	askFirst, askLast = time.Millisecond, 20 * time.Millisecond
	// quick is how soon, besides the round trip, a reader has to have read a message for more to be under way to it.
	quick = 30 * time.Millisecond
	// slow is after what time, besides the round trip, only one message is under way to it again.
	slow = 100 * time.Millisecond
	// eager is how soon a message follows the last if it had to wait.
	eager = time.Millisecond
	// maxAllowed is how many messages may be under way to the fastest reader.
	maxAllowed = 256
	// mute is how long a client may take for its first window update; one that sends none is not bounded.
	mute = 30 * time.Second
)

// call is one call that sends messages.
type call struct {
	id       string
	stopping context.Context
	window   int   // messages that may be under way, as the reader wants it; 0 if it acknowledges nothing
	conn     *conn // nil if the frames of its connection are not seen, or need not be
	exact    bool  // window updates tell of every message
	wake     chan struct{}

	mu       sync.Mutex
	total    int64     // bytes sent
	waiting  []mark    // the messages that the reader is not known to have read
	messages int64     // sent
	read     int64     // messages that were acknowledged
	granted  int64     // bytes that the reader is known to have read, or to wait for
	initial  int64     // bytes that it takes unread
	heard    bool      // of anything granted
	free     bool      // not bounded
	allowed  int       // messages under way
	prompt   time.Time // when there was room again for a reader that had used up its own, and is quick; zero otherwise
}

// mark is where a message ends, and when it was sent.
type mark struct {
	end int64
	at  time.Time
}

// sending takes note of a message that is about to be sent.
func (c *call) sending(m any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages++
	if c.window > 0 || c.conn == nil || c.free {
		return // it is not counted in bytes, or not any more
	}
	c.total += prefixSize
	if p, ok := m.(proto.Message); ok {
		c.total += int64(proto.Size(p))
	}
	if !c.exact {
		return
	}
	c.waiting = append(c.waiting, mark{c.total, time.Now()})
	if !c.prompt.IsZero() && time.Since(c.prompt) < eager {
		c.allowed = min(2*c.allowed, maxAllowed)
	}
	c.prompt = time.Time{}
}

// grant takes note of what the client has granted.
func (c *call) grant(bytes, initial int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.granted, c.initial = bytes, initial
	c.heard = c.heard || bytes > 0
	c.wakeUp()
}

// release lets the call go unbounded.
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

// wakeUp needs mu.
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

// hasRoom takes note of what has been read. Since is when the wait for it began, if it did.
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
		c.free, c.waiting = true, nil // it is none of those that we know
		return true
	}
	for len(c.waiting) > 0 && c.waiting[0].end <= c.granted {
		c.adapt(time.Since(c.waiting[0].at), !since.IsZero())
		c.waiting = c.waiting[1:]
	}
	return len(c.waiting) < c.allowed
}

// adapt decides how much may be under way from how long a message was, and whether there was no room meanwhile. It needs mu.
func (c *call) adapt(took time.Duration, full bool) {
	took -= 2 * c.conn.roundTrip()
	switch {
	case took > slow:
		c.allowed = 1
	case took < quick && full:
		c.prompt = time.Now()
	}
}
