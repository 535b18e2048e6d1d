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
	// Start is the bytes in front of each message; empty for none.
	Start []byte
	// StartOnce means that Start comes only once, when the board begins to send.
	StartOnce bool
	// Checksum follows each payload.
	Checksum Checksum
	// Pause is how long a message may take from its first byte to its last; one that takes longer is
	// discarded. Zero: forever.
	Pause time.Duration
}

// Validate returns an error for an impossible setting.
func (b Block) Validate() error {
	if b.Size < 1 || b.Size+len(b.Start)+b.Checksum.Size() > MaxMessage {
		return fmt.Errorf("messages of %d bytes: use 1 to %d", b.Size, MaxMessage)
	}
	return nil
}

// Append appends a complete message with that payload to dst.
func (b Block) Append(dst, payload []byte) []byte {
	dst = append(dst, b.Start...)
	dst = append(dst, payload...)
	return b.Checksum.Append(dst, payload)
}

// Blocks hands out the payloads of messages of a fixed size.
//
// A bad message costs one byte: the search for the next resumes behind its first byte, in the bytes read
// already. So after a lost byte the first complete message is found again, as far as the start bytes and
// the checksum can tell. With start bytes but no checksum an error shows only afterwards, when no start
// bytes follow: then the next message may have begun within the last, and is searched for there.
type Blocks struct {
	block     Block
	discarded Discarded
	rest      []byte    // bytes not processed yet
	arrivals  []arrival // of rest
	started   bool      // StartOnce has been seen
	handed    int       // bytes at the beginning of rest that were handed out
	doubtful  int       // bytes of a message at the beginning of rest that nothing has confirmed; 0: none
}

// arrival is a number of bytes and the time when they were read.
type arrival struct {
	n  int
	at time.Time
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
	s.timeout(at)
	for len(data) > 0 {
		n := min(len(data), MaxMessage)
		s.rest = append(s.rest, data[:n]...)
		s.arrivals = append(s.arrivals, arrival{n, at})
		data = data[n:]
		whole, arrivals := s.rest, s.arrivals
		s.search(emit)
		s.rest, s.arrivals = append(whole[:0], s.rest...), append(arrivals[:0], s.arrivals...)
	}
}

// timeout discards a message that takes too long. If the next can be recognised by its start or
// checksum, bytes that came later may be part of it.
func (s *Blocks) timeout(at time.Time) {
	for pause := s.block.Pause; pause > 0 && len(s.arrivals) > 0 && at.Sub(s.arrivals[0].at) > pause; {
		n := s.arrivals[0].n
		if s.startSize() == 0 && s.block.Checksum == NoChecksum {
			n = len(s.rest)
		}
		s.doubtful = max(s.doubtful-n, 0)
		s.drop(Paused, n)
	}
}

// search hands out the messages that are complete.
func (s *Blocks) search(emit func([]byte)) {
	for s.confirm() && s.align() {
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
		s.handed = size
		if start > 0 && s.block.Checksum == NoChecksum {
			s.skip(1) // the next begins behind its first byte, or behind all of it
			s.doubtful = s.handed
		} else {
			s.skip(size)
		}
	}
}

// confirm checks the bytes that follow a doubtful message; false if they have not arrived yet. Unless
// they are a start, the next message may have begun in this one.
func (s *Blocks) confirm() bool {
	if s.doubtful == 0 {
		return true
	}
	next := s.rest[s.doubtful:]
	n := min(len(next), len(s.block.Start))
	switch {
	case !bytes.HasPrefix(s.block.Start, next[:n]):
	case n == len(s.block.Start):
		s.skip(s.doubtful)
	default:
		return false
	}
	s.doubtful = 0
	return true
}

// align discards bytes in front of the next possible message; false if there is none yet.
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
		s.skip(len(s.block.Start))
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

// drop counts bytes that belong to no message, and skips them.
func (s *Blocks) drop(why Reason, n int) {
	s.discarded.count(why, n-s.handed)
	s.skip(n)
}

func (s *Blocks) skip(n int) {
	s.rest, s.handed = s.rest[n:], max(s.handed-n, 0)
	for n > 0 {
		first := &s.arrivals[0]
		part := min(n, first.n)
		first.n -= part
		n -= part
		if first.n == 0 {
			s.arrivals = s.arrivals[1:]
		}
	}
}

// Reset implements [Splitter].
func (s *Blocks) Reset() {
	s.drop(Interrupted, len(s.rest))
	s.started, s.doubtful = false, 0
}
