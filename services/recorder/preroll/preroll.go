// Package preroll keeps the newest messages in memory, for a recording that begins before it is started.
//
// A [Buffer] is bounded by time and by bytes, whichever is less. It is not safe for concurrent use, and has no
// goroutines.
package preroll

import (
	"time"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/services/recorder/reel"
)

// overhead is about what a message takes in memory beside its bytes.
const overhead = 256

// Buffer has the newest messages.
type Buffer struct {
	age   time.Duration
	most  int
	queue []reel.Message // in the order in which they came
	first int            // of those that are kept
	bytes int
}

// New returns a buffer of messages of up to an age and so many bytes.
func New(age time.Duration, bytes int) *Buffer { return &Buffer{age: age, most: bytes} }

// Add adds a message, and forgets those for which there is no room.
func (b *Buffer) Add(m reel.Message) {
	b.queue = append(b.queue, m)
	b.bytes += size(m)
	for b.first < len(b.queue) && (b.bytes > b.most || m.At.Sub(b.queue[b.first].At) > b.age) {
		b.bytes -= size(b.queue[b.first])
		b.queue[b.first] = reel.Message{} // for the garbage collector
		b.first++
	}
	if b.first > len(b.queue)/2 {
		n := copy(b.queue, b.queue[b.first:])
		clear(b.queue[n:])
		b.queue, b.first = b.queue[:n], 0
	}
}

func size(m reel.Message) int { return len(m.Data) + overhead }

// Bytes is what the messages take.
func (b *Buffer) Bytes() int { return b.bytes }

// Length is how long before now the oldest message came.
func (b *Buffer) Length(now time.Time) time.Duration {
	if b.first == len(b.queue) {
		return 0
	}
	return now.Sub(b.queue[b.first].At)
}

// Take empties the buffer. It returns the messages that can be read: those of a stream that needs a key frame begin
// with one.
func (b *Buffer) Take() []reel.Message {
	begun := map[*recording.Channel]bool{}
	kept := b.queue[b.first:]
	b.queue, b.first, b.bytes = nil, 0, 0
	n := 0
	for _, m := range kept {
		if reel.InterCoded(m.Channel) && !m.Key && !begun[m.Channel] {
			continue
		}
		begun[m.Channel] = true
		kept[n] = m
		n++
	}
	clear(kept[n:])
	return kept[:n]
}
