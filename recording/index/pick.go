package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/foxglove/mcap/go/mcap"
)

const (
	// MessageHead is the size of what a message record has before its data: channel, sequence, log and publish time.
	MessageHead = 2 + 4 + 8 + 8
	// pickCost is how many bytes of a chunk are read in the time of one message that is picked.
	pickCost = 16 << 10
	// pickAhead is how much is read of a message whose size is not known.
	pickAhead = 1 << 10
)

// Pick returns the bodies of some message records of a chunk, by their place in it, and reads only these: those of
// wanted channels, with log times from one to before the other. Their checksum cannot be checked. It returns false if
// the chunk has to be read as a whole, or is sooner.
func Pick(r io.ReaderAt, size int64, c *Chunk, wanted func(channel uint16) bool, from,
	to uint64) (bodies [][]byte, ok bool, err error) {
	if c.Bare || c.Compression != mcap.CompressionNone || len(c.MessageIndexOffsets) == 0 {
		return nil, false, nil
	}
	f := file{r, size}
	var places []uint64
	for channel, at := range c.MessageIndexOffsets {
		if !wanted(channel) {
			continue
		}
		if places, err = f.places(places, int64(min(at, uint64(size))), channel, from, to); err != nil {
			return nil, false, err
		}
		if uint64(len(places))*pickCost > c.ChunkLength {
			return nil, false, nil
		}
	}
	start, end, err := f.plain(c)
	if err != nil {
		return nil, false, err
	}
	records := file{r, end}
	for _, place := range places {
		message, err := records.message(start + int64(min(place, uint64(end-start))))
		if err != nil {
			return bodies, true, err
		}
		bodies = append(bodies, message)
	}
	return bodies, true, nil
}

// places adds where the messages of a channel are in a chunk, as its index at a place says.
func (f file) places(to []uint64, at int64, channel uint16, from, before uint64) ([]uint64, error) {
	op, length, err := f.header(at)
	if err != nil {
		return nil, err
	}
	if op != mcap.OpMessageIndex {
		return nil, errIndex
	}
	body, err := f.body(at, length, maxRecord)
	if err != nil {
		return nil, err
	}
	l := le{data: body}
	if l.uint16() != channel || int(l.uint32()) != len(l.data) || len(l.data)%entryBytes != 0 {
		return nil, errIndex
	}
	for len(l.data) > 0 {
		if logged, place := l.uint64(), l.uint64(); logged >= from && logged < before {
			to = append(to, place)
		}
	}
	return to, nil
}

var errIndex = errors.New("the index of a chunk is damaged")

// message reads the message record at a place, and returns its body.
func (f file) message(at int64) ([]byte, error) {
	head := make([]byte, min(pickAhead, f.size-at))
	if len(head) < HeaderBytes+MessageHead {
		return nil, errInner
	}
	if _, err := f.r.ReadAt(head, at); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	length := binary.LittleEndian.Uint64(head[1:])
	switch {
	case mcap.OpCode(head[0]) != mcap.OpMessage || length < MessageHead:
		return nil, errIndex
	case length > uint64(f.size-at-HeaderBytes):
		return nil, errInner
	case length <= uint64(len(head)-HeaderBytes):
		return head[HeaderBytes : HeaderBytes+length], nil
	}
	return f.body(at, int64(length), MaxChunk)
}
