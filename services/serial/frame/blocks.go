package frame

import (
	"bytes"
	"fmt"
	"time"
)

// Block describes messages of a fixed size.
type Block struct {
	// Size of the payload in bytes.
	Size int
	// Start are the bytes in front of each message; empty for none.
	Start []byte
	// StartOnce says that Start comes only once, when the board begins to speak.
	StartOnce bool
	// Checksum follows each payload.
	Checksum Checksum
	// Pause is how long a message may take from its first byte to its last; what takes longer is forgotten. Zero: for ever.
	Pause time.Duration
}

// Validate says what cannot be, if anything.
func (b Block) Validate() error {
	if b.Size < 1 || b.Size+len(b.Start)+b.Checksum.Size() > MaxMessage {
		return fmt.Errorf("messages of %d bytes: use 1 to %d", b.Size, MaxMessage)
	}
	return nil
}

// Append appends a whole message with that payload to dst.
func (b Block) Append(dst, payload []byte) []byte {
	dst = append(dst, b.Start...)
	dst = append(dst, payload...)
	return b.Checksum.Append(dst, payload)
}

// Blocks hands out the payloads of messages of a fixed size.
//
// A message that is not what it should be costs one byte: the search for the next goes on behind its first byte, in what has been read already. So
// after a byte was lost the first whole message is found again, as far as the start bytes and the checksum can tell.
type Blocks struct {
	block     Block
	discarded Discarded
	buffer    []byte    // begins with the bytes that wait for more
	waiting   int       // how many they are
	rest      []byte    // what is left of buffer while it is searched
	started   bool      // StartOnce has been seen
	begun     time.Time // when the first byte that waits was read
}

// NewBlocks returns a splitter.
func NewBlocks(b Block, discarded Discarded) (*Blocks, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	return &Blocks{block: b, discarded: discarded}, nil
}

// Feed implements [Splitter].
func (s *Blocks) Feed(data []byte, at time.Time, emit func([]byte)) {
	if pause := s.block.Pause; pause > 0 && s.waiting > 0 && at.Sub(s.begun) > pause {
		s.forget(Paused)
	}
	for len(data) > 0 {
		if s.waiting == 0 {
			s.begun = at
		}
		n := min(len(data), MaxMessage)
		s.buffer = append(s.buffer[:s.waiting], data[:n]...)
		data = data[n:]
		s.rest = s.buffer
		s.search(at, emit)
		s.waiting = copy(s.buffer, s.rest)
	}
}

// search hands out the messages that are complete.
func (s *Blocks) search(at time.Time, emit func([]byte)) {
	for s.align() {
		start := s.startSize()
		size := start + s.block.Size + s.block.Checksum.Size()
		if len(s.rest) < size {
			return
		}
		if !s.block.Checksum.holds(s.rest[start:size]) {
			s.drop(BadChecksum, 1)
			continue
		}
		emit(s.rest[start : start+s.block.Size])
		s.rest = s.rest[size:]
		s.begun = at
	}
}

// align discards what is in front of the next message that can be; false if there is none yet.
func (s *Blocks) align() bool {
	if len(s.block.Start) == 0 || s.started {
		return len(s.rest) > 0
	}
	i := bytes.Index(s.rest, s.block.Start)
	if i < 0 {
		s.drop(Misaligned, len(s.rest)-s.mayBegin())
		return false
	}
	s.drop(Misaligned, i)
	if s.block.StartOnce {
		s.started = true
		s.rest = s.rest[len(s.block.Start):]
	}
	return true
}

// mayBegin is how many bytes at the end may be the beginning of Start.
func (s *Blocks) mayBegin() int {
	for n := min(len(s.block.Start)-1, len(s.rest)); n > 0; n-- {
		if bytes.HasSuffix(s.rest, s.block.Start[:n]) {
			return n
		}
	}
	return 0
}

// startSize is how many bytes are in front of a payload.
func (s *Blocks) startSize() int {
	if s.block.StartOnce {
		return 0
	}
	return len(s.block.Start)
}

func (s *Blocks) drop(why Reason, n int) {
	s.discarded.count(why, n)
	s.rest = s.rest[n:]
}

// Reset implements [Splitter].
func (s *Blocks) Reset() {
	s.forget(Interrupted)
	s.started = false
}

func (s *Blocks) forget(why Reason) {
	s.discarded.count(why, s.waiting)
	s.waiting = 0
}
