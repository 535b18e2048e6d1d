package read

import (
	"encoding/binary"
	"time"

	"github.com/foxglove/mcap/go/mcap"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/index"
)

// KeyFrame returns the log time of the newest message of a channel at or before a time at which decoding can begin, as key
// says; false if there is none. Damaged chunks are passed over.
func (f *File) KeyFrame(c *Channel, at time.Time, key func(data []byte) bool) (time.Time, bool) {
	limit := stamp(at)
	var found uint64
	var has bool
	for i := len(f.chunks) - 1; i >= 0; i-- {
		chunk := f.chunks[i]
		if chunk.MessageStartTime > limit || has && chunk.MessageEndTime < found || !mayHave(chunk, c.ID) {
			continue
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
		const head = 2 + 4 + 8 + 8
		if op != mcap.OpMessage || len(body) < head || binary.LittleEndian.Uint16(body) != c.ID {
			return nil
		}
		logged := binary.LittleEndian.Uint64(body[6:])
		if logged > limit || ok && logged < t {
			return nil
		}
		data := body[head:]
		if c.Waldo.Type != "" {
			data = recording.Original(data)
		}
		if key(data) {
			t, ok = logged, true
		}
		return nil
	})
	return t, ok
}
