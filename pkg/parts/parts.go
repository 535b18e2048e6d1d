// Package parts carries text messages of any size over a data channel, whose frames are bounded.
//
// A message that fits is one frame. A larger one is cut into parts, each a frame of its own: its first byte is [More]
// if another part follows, [Last] if none does, and is not part of the message. Messages are JSON objects, so none
// begins with either. The channel must be reliable and ordered, and the frames of two messages must not be mixed.
//
// Nothing here is safe for concurrent use, and there are no goroutines.
package parts

import (
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"
)

// The first bytes of parts.
const (
	More = '+'
	Last = '.'
)

// Split yields the frames of a message, which is valid UTF-8, and so are they. Most is the size of the largest frame in
// bytes, at least 5. A frame is valid until the next is yielded.
func Split(message []byte, most int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if len(message) <= most {
			yield(message)
			return
		}
		frame := make([]byte, 0, most)
		for len(message) > most-1 {
			n := most - 1
			for n > most-utf8.UTFMax && !utf8.RuneStart(message[n]) {
				n--
			}
			if !yield(append(append(frame, More), message[:n]...)) {
				return
			}
			message = message[n:]
		}
		yield(append(append(frame, Last), message...))
	}
}

// Joiner puts the parts of messages together.
type Joiner struct {
	most    int
	joined  []byte
	joining bool
}

// NewJoiner returns a joiner for messages of at most so many bytes.
func NewJoiner(most int) *Joiner { return &Joiner{most: most} }

// Add takes a frame and returns the message that it completes, or false if more parts have to come. After an error the
// channel is of no more use.
func (j *Joiner) Add(frame []byte) (message []byte, complete bool, err error) {
	kind := byte(0)
	if len(frame) > 0 && (frame[0] == More || frame[0] == Last) {
		kind, frame = frame[0], frame[1:]
	}
	if kind == 0 && j.joining {
		return nil, false, errors.New("a message begins before the last part of another")
	}
	if len(j.joined)+len(frame) > j.most {
		return nil, false, fmt.Errorf("a message has more than %d bytes", j.most)
	}
	if kind == 0 {
		return frame, true, nil
	}
	j.joined, j.joining = append(j.joined, frame...), true
	if kind == More {
		return nil, false, nil
	}
	message, j.joined, j.joining = j.joined, nil, false
	return message, true, nil
}
