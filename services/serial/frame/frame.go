package frame

import "time"

// MaxMessage bounds a message, in bytes.
const MaxMessage = 64 << 10

// Splitter finds messages.
type Splitter interface {
	// Feed takes the bytes of one read and calls emit for each message that is now complete. A message
	// is valid until emit returns.
	Feed(data []byte, at time.Time, emit func(message []byte))
	// Reset discards an incomplete message: the line was interrupted.
	Reset()
}

// Reason is why bytes belong to no message.
type Reason string

// Reasons.
const (
	TooLong     Reason = "too_long"    // a line without an end
	Misaligned  Reason = "misaligned"  // not at the beginning of a message
	BadChecksum Reason = "checksum"    // the message was damaged
	Paused      Reason = "paused"      // a message that was not completed in time
	Interrupted Reason = "interrupted" // the line was interrupted
)

// Discarded is called with the number of bytes that belong to no message. It may be nil.
type Discarded func(Reason, int)

func (d Discarded) count(why Reason, n int) {
	if d != nil && n > 0 {
		d(why, n)
	}
}

// Chunks hands out bytes as they are read, in pieces of at most MaxMessage bytes.
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
