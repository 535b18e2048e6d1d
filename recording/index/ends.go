package index

import (
	"errors"
	"fmt"
	"io"

	"github.com/foxglove/mcap/go/mcap"
)

// Ends returns the first and the last message of a channel in a chunk, as far as [MessageHead], and how many there are.
// Only these are read. It fails for a chunk that is compressed, or does not say where its messages are.
func Ends(r io.ReaderAt, size int64, c *Chunk, channel uint16) (first, last []byte, count int, err error) {
	at, has := c.MessageIndexOffsets[channel]
	if c.Bare || c.Compression != mcap.CompressionNone || !has {
		return nil, nil, 0, errors.New("a chunk does not say where its messages are")
	}
	f := file{r, size}
	places, err := f.places(nil, int64(min(at, uint64(size))), channel, 0, ^uint64(0))
	if err != nil || len(places) == 0 {
		return nil, nil, 0, errors.Join(err, errIndex)
	}
	start, end, err := f.plain(c)
	if err != nil {
		return nil, nil, 0, err
	}
	if first, err = f.head(start, places[0], end); err != nil {
		return nil, nil, 0, err
	}
	last, err = f.head(start, places[len(places)-1], end)
	return first, last, len(places), err
}

// plain returns where the records of a chunk begin and end that is not compressed.
func (f file) plain(c *Chunk) (start, end int64, err error) {
	op, body, err := f.header(int64(c.ChunkStartOffset))
	if err != nil {
		return 0, 0, err
	}
	if op != mcap.OpChunk {
		return 0, 0, errIndex
	}
	h, err := f.chunkHeader(int64(c.ChunkStartOffset), body)
	if err != nil {
		return 0, 0, err
	}
	start = int64(c.ChunkStartOffset) + HeaderBytes + h.at
	return start, start + h.compressed, nil
}

// head reads what the message at a place of a chunk begins with.
func (f file) head(start int64, place uint64, end int64) ([]byte, error) {
	head := make([]byte, HeaderBytes+MessageHead)
	if place > uint64(end-start) || end-start-int64(place) < int64(len(head)) {
		return nil, errIndex
	}
	if _, err := f.r.ReadAt(head, start+int64(place)); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if mcap.OpCode(head[0]) != mcap.OpMessage {
		return nil, errIndex
	}
	return head[HeaderBytes:], nil
}
