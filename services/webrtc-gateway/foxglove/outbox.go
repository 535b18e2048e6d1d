package foxglove

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/waldo-robot/waldo/pkg/media"
)

const (
	// maxQueued and maxQueuedBytes bound the messages that wait for one client, maxWait is how long one may wait.
	maxQueued      = 1024
	maxQueuedBytes = 4 << 20
	maxWait        = 2 * time.Second
	// keyPatience is how long a device may take for a key frame before it is asked again. A client that never stops losing
	// must not turn the stream into key frames for all: it may ask keyBurst times, and then once in keyGap.
	keyPatience = 500 * time.Millisecond
	keyGap      = 2 * time.Second
	keyBurst    = 5
	// maxAnswers is how many answers may wait for a client; then nothing more is read from it.
	maxAnswers = 64
)

// message is one of a stream, shared by all clients and never changed.
type message struct {
	at    uint64 // in ns since 1970
	data  []byte
	video bool // whether decoding depends on the messages before it, unless key says that it begins here
	key   bool
	// Of video.
	epoch, sequence int64
}

// subscription is one channel of one client. The outbox guards it.
type subscription struct {
	id      uint32
	channel *channel
	resync  media.Resync // of video
	begun   bool         // a message was queued
	ended   bool
	askKey  func()        // asks the device for a key frame; it must not block; nil: that cannot be asked
	asked   time.Time     // when it was called last
	wishes  *rate.Limiter // of key frames
	leave   func()        // the feed; nil: it is not joined yet; guarded by the session
}

func newSubscription(id uint32, c *channel) *subscription {
	return &subscription{id: id, channel: c, wishes: rate.NewLimiter(rate.Every(keyGap), keyBurst)}
}

// queued is a message that waits. Without a subscription it was taken out again.
type queued struct {
	to    *subscription
	since time.Time
	message
}

// outbox is what waits for a client: answers, which are never lost, and the messages of its subscriptions. Of those the
// oldest is lost when there are too many, they are too large together, or one has waited too long; of video everything
// up to the next key frame. It is safe for concurrent use.
type outbox struct {
	answers chan []byte
	wake    chan struct{} // has a value when there may be messages
	lose    func(n int)   // is told of what is lost; it must not block

	mu     sync.Mutex
	queue  []queued
	count  int // of those that were not taken out
	bytes  int // of the same
	lost   uint64
	closed bool
}

func newOutbox(lose func(int)) *outbox {
	return &outbox{answers: make(chan []byte, maxAnswers), wake: make(chan struct{}, 1), lose: lose}
}

// answer queues a message that must arrive; it waits for room. False if ctx has ended.
func (o *outbox) answer(ctx context.Context, data []byte) bool {
	select {
	case o.answers <- data:
		return true
	case <-ctx.Done():
		return false
	}
}

// put queues a message for a subscription. It never waits.
func (o *outbox) put(s *subscription, m message, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.ended || o.closed {
		return
	}
	o.expire(now)
	if !m.video || m.key || s.resync.Synced() {
		for o.count > 0 && (o.count >= maxQueued || o.bytes+len(m.data) > maxQueuedBytes) {
			o.dropOldest()
		}
	}
	if m.video && !s.resync.Accept(m.epoch, m.sequence, m.key) {
		if s.begun {
			o.lostOne()
		}
		s.wantKey(now)
		return
	}
	s.begun = true
	o.queue = append(o.queue, queued{to: s, since: now, message: m})
	o.count++
	o.bytes += len(m.data)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// wantKey asks for a key frame, if the device makes them on request and was not asked just now.
func (s *subscription) wantKey(now time.Time) {
	if s.askKey != nil && now.Sub(s.asked) >= keyPatience && s.wishes.AllowN(now, 1) {
		s.asked = now
		s.askKey()
	}
}

// expire drops what has waited too long. It needs mu.
func (o *outbox) expire(now time.Time) {
	for len(o.queue) > 0 {
		first := &o.queue[0]
		switch {
		case first.to == nil:
			o.shift()
		case now.Sub(first.since) > maxWait:
			o.dropOldest()
		default:
			return
		}
	}
}

// shift takes the first of the queue. It needs mu.
func (o *outbox) shift() queued {
	q := o.queue[0]
	o.queue[0] = queued{}
	if o.queue = o.queue[1:]; len(o.queue) == 0 {
		o.queue = nil
	}
	if q.to != nil {
		o.count--
		o.bytes -= len(q.data)
	}
	return q
}

// dropOldest drops the oldest message, and what cannot be decoded without it. It needs mu.
func (o *outbox) dropOldest() {
	for len(o.queue) > 0 {
		q := o.shift()
		if q.to == nil {
			continue
		}
		o.lostOne()
		if q.video {
			o.dropDependents(q.to)
		}
		return
	}
}

// dropDependents drops the video of a subscription up to its next key frame. It needs mu.
func (o *outbox) dropDependents(s *subscription) {
	for i := range o.queue {
		q := &o.queue[i]
		switch {
		case q.to != s:
			continue
		case q.key:
			return
		}
		o.takeOut(q)
		o.lostOne()
	}
	s.resync.Lose()
}

// takeOut removes a message in the middle. It needs mu.
func (o *outbox) takeOut(q *queued) {
	o.count--
	o.bytes -= len(q.data)
	*q = queued{}
}

func (o *outbox) lostOne() {
	o.lost++
	o.lose(1)
}

// next returns the oldest message and its subscription; false if there is none.
func (o *outbox) next(now time.Time) (*subscription, message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expire(now)
	for len(o.queue) > 0 {
		if q := o.shift(); q.to != nil {
			return q.to, q.message, true
		}
	}
	return nil, message{}, false
}

// end ends a subscription, of which nothing is sent any more.
func (o *outbox) end(s *subscription) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.ended = true
	for i := range o.queue {
		if q := &o.queue[i]; q.to == s {
			o.takeOut(q)
		}
	}
}

// losses returns how many messages the client has lost.
func (o *outbox) losses() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// close drops everything, and what comes later.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.queue, o.count, o.bytes = true, nil, 0, 0
}
