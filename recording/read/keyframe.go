package read

import (
	"encoding/binary"
	"time"

	"github.com/foxglove/mcap/go/mcap"

	"github.com/waldo-robot/waldo/recording/index"
)

// maxSearch bounds how many bytes are searched for a key frame: with four cameras, about two minutes.
const maxSearch = 128 << 20

// KeyFrame returns the log time of the newest message of a channel at or before a time at which decoding can begin, as
// key says; false if there is none, or none in the 128 MiB before. Damaged chunks are passed over.
func (f *File) KeyFrame(c *Channel, at time.Time, key func(data []byte) bool) (time.Time, bool) {
	limit := stamp(at)
	var found uint64
	var has bool
	var read uint64
	for i := len(f.chunks) - 1; i >= 0; i-- {
		chunk := f.chunks[i]
		if chunk.MessageStartTime > limit || has && chunk.MessageEndTime < found || !mayHave(chunk, c.ID) {
			continue
		}
		if read += chunk.ChunkLength; read > maxSearch {
			break
		}
		if t, ok := f.keyFrameIn(chunk, c, limit, key); ok && (!has || t > found) {
			found, has = t, true
		}
		if has && !f.overlaps(i, found) {
			break
		}
	}
	return wall(found), has
}

// overlaps reports whether a chunk before the i-th by time may have messages after a time.
func (f *File) overlaps(i int, after uint64) bool {
	const look = 64 // chunks of a sorted file overlap with few others
	for j := i - 1; j >= 0 && j >= i-look; j-- {
		if f.chunks[j].MessageEndTime > after {
			return true
		}
	}
	return false
}

func mayHave(c *index.Chunk, channel uint16) bool {
	_, has := c.MessageIndexOffsets[channel]
	return has || len(c.MessageIndexOffsets) == 0
}

func (f *File) keyFrameIn(chunk *index.Chunk, c *Channel, limit uint64, key func([]byte) bool) (t uint64, ok bool) {
	records, err := index.Records(f.file, f.size, chunk)
	if err != nil {
		return 0, false
	}
	_ = index.ForEach(records, func(op mcap.OpCode, _ int, body []byte) error { // what is whole counts
		if op != mcap.OpMessage || len(body) < index.MessageHead || binary.LittleEndian.Uint16(body) != c.ID {
			return nil
		}
		at := logged(body)
		if at > limit || ok && at < t {
			return nil
		}
		if key(c.Waldo.Original(body[index.MessageHead:])) {
			t, ok = at, true
		}
		return nil
	})
	return t, ok
}
