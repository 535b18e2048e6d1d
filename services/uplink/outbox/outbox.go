// Package outbox keeps what waits for a link, for as short as possible.
//
// Each stream has a queue, and each queue loses what has waited too long: of video that is compressed from picture to
// picture everything up to the next key frame, of pictures that stand alone everything but the newest, of everything
// else the oldest. What is lost is counted. [Box.Next] takes what is most urgent first: the state of what moves, then
// sound, then readings, then pictures, where streams take turns.
//
// A box is safe for concurrent use. It has no goroutine and no clock: the time is given.
package outbox

import (
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/media"
)

// Class is how urgent a message is.
type Class int

// Classes, the most urgent first.
const (
	Control Class = iota
	Sound
	Reading
	Video
	classes
)

// String is the name of the class in metrics.
func (c Class) String() string { return [classes]string{"control", "sound", "reading", "video"}[c] }

// Stream names a stream of a device.
type Stream struct{ Device, Name string }

// Message is a message of a stream.
type Message struct {
	Stream Stream
	Class  Class
	Raw    bus.Raw
	// Come is when it came.
	Come time.Time
	// Frame is about video.
	Frame Frame
}

// Frame is what must be known of a picture.
type Frame struct {
	// Epoch, Sequence and Key are those of the frame.
	Epoch, Sequence int64
	Key             bool
	// InterCoded means that it cannot be shown without those before it.
	InterCoded bool
}

// Bounds of a queue, beside the age.
const (
	maxBytes    = 16 << 20
	maxMessages = 1024
)

// Box keeps messages. Use [New].
type Box struct {
	maxAge time.Duration
	lose   func(Class, int)
	wake   chan struct{}

	mu     sync.Mutex
	queues map[Stream]*queue
	turns  []Stream // in the order in which they take turns
}

// queue holds the messages of one stream.
type queue struct {
	messages []Message
	bytes    int
	class    Class
	resync   media.Resync
	epoch    int64 // of the newest frame
	newest   int64 // its sequence
	wants    bool  // a key frame
}

// again reports whether a frame has come before.
func (q *queue) again(f Frame) bool {
	if f.Epoch == q.epoch && f.Sequence <= q.newest {
		return true
	}
	q.epoch, q.newest = f.Epoch, f.Sequence
	return false
}

// New returns a box whose messages wait for at most maxAge. Lost is told how many messages of a class were lost; it
// must not call the box.
func New(maxAge time.Duration, lost func(Class, int)) *Box {
	return &Box{maxAge: maxAge, lose: lost, wake: make(chan struct{}, 1), queues: map[Stream]*queue{}}
}

// Wake receives when a message has come.
func (b *Box) Wake() <-chan struct{} { return b.wake }

// Put adds a message.
func (b *Box) Put(m Message) {
	b.mu.Lock()
	q := b.queues[m.Stream]
	if q == nil {
		q = &queue{}
		b.queues[m.Stream] = q
		b.turns = append(b.turns, m.Stream)
	}
	q.class = m.Class
	b.add(q, m)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *Box) add(q *queue, m Message) {
	switch {
	case m.Class != Video:
	case q.again(m.Frame):
		return
	case !m.Frame.InterCoded:
		b.drop(q, len(q.messages))
	case !q.resync.Accept(m.Frame.Epoch, m.Frame.Sequence, m.Frame.Key):
		q.wants = true
		b.lose(Video, 1)
		return
	}
	if m.Frame.Key {
		q.wants = false
	}
	q.messages = append(q.messages, m)
	q.bytes += len(m.Raw.Data)
	if q.bytes > maxBytes || len(q.messages) > maxMessages {
		b.shed(q, 1)
	}
}

// drop loses the first n messages of a queue.
func (b *Box) drop(q *queue, n int) {
	for i := range n {
		q.bytes -= len(q.messages[i].Raw.Data)
		q.messages[i] = Message{} // so that its data can be freed
	}
	q.messages = q.messages[n:]
	if n > 0 {
		b.lose(q.class, n)
	}
}

// shed loses the first n messages, and those that are worthless without them.
func (b *Box) shed(q *queue, n int) {
	if n == 0 {
		return
	}
	inter := q.messages[n-1].Frame.InterCoded
	if b.drop(q, n); inter {
		b.skip(q)
	}
}

// skip loses all messages before the next key frame.
func (b *Box) skip(q *queue) {
	for i := range q.messages {
		if q.messages[i].Frame.Key {
			b.drop(q, i)
			return
		}
	}
	b.drop(q, len(q.messages))
	q.resync.Lose()
	q.wants = true
}

// expire loses what has waited too long.
func (b *Box) expire(q *queue, now time.Time) {
	n := 0
	for n < len(q.messages) && now.Sub(q.messages[n].Come) > b.maxAge {
		n++
	}
	b.shed(q, n)
}

// Next takes the most urgent message, of this class or more urgent ones.
func (b *Box) Next(least Class, now time.Time) (m Message, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	best := -1
	for i, s := range b.turns {
		q := b.queues[s]
		b.expire(q, now)
		if len(q.messages) > 0 && q.class <= least && (best < 0 || q.class < b.queues[b.turns[best]].class) {
			best = i
		}
	}
	if best < 0 {
		return m, false
	}
	s := b.turns[best]
	b.turns = append(append(b.turns[:best:best], b.turns[best+1:]...), s)
	q := b.queues[s]
	m = q.messages[0]
	q.messages[0] = Message{}
	q.messages = q.messages[1:]
	q.bytes -= len(m.Raw.Data)
	return m, true
}

// Fail notes that a message that was taken did not arrive.
func (b *Box) Fail(m Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose(m.Class, 1)
	if q := b.queues[m.Stream]; q != nil && m.Frame.InterCoded {
		b.skip(q)
	}
}

// Wanting lists the streams that go on only with a key frame.
func (b *Box) Wanting() (list []Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.turns {
		if b.queues[s].wants {
			list = append(list, s)
		}
	}
	return list
}

// Forget removes a stream that nobody wants any more. What waits of it is not counted as lost.
func (b *Box) Forget(s Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.queues, s)
	for i, other := range b.turns {
		if other == s {
			b.turns = append(b.turns[:i:i], b.turns[i+1:]...)
			return
		}
	}
}

// Video lists the streams of video.
func (b *Box) Video() (list []Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.turns {
		if b.queues[s].class == Video {
			list = append(list, s)
		}
	}
	return list
}
