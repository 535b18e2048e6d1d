package frame

import "time"

// MaxMessage bounds a message, in bytes.
const MaxMessage = 64 << 10

// Splitter finds messages.
type Splitter interface {
	// Feed takes the bytes that were read at a time and calls emit for each message that is complete now. A message is valid until emit returns.
	Feed(data []byte, at time.Time, emit func(message []byte))
	// Reset forgets a message that has begun: the line was interrupted.
	Reset()
}

// Reason is why bytes belong to no message.
type Reason string

// Reasons.
const (
	TooLong     Reason = "too_long"    // a line without an end
	Misaligned  Reason = "misaligned"  // not where a message begins
	BadChecksum Reason = "checksum"    // the message was damaged
	Paused      Reason = "paused"      // a message that was not finished in time
	Interrupted Reason = "interrupted" // the line was
)

// Discarded is called with the number of bytes that belong to no message. It may be nil.
type Discarded func(Reason, int)

func (d Discarded) count(why Reason, n int) {
	if d != nil && n > 0 {
		d(why, n)
	}
}

// Chunks hands out what is read as it comes, in pieces of at most MaxMessage bytes.
type Chunks struct{}

// Feed implements [Splitter].
func (Chunks) Feed(data []byte, _ time.Time, emit func([]byte)) {
	for len(data) > MaxMessage {
		emit(data[:MaxMessage])
		data = data[MaxMessage:]
	}
	if len(data) > 0 {
		emit(data)
	}
}

// Reset implements [Splitter].
func (Chunks) Reset() {}
