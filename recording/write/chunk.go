package write

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/foxglove/mcap/go/mcap"
)

// chunk is a run of records that is written at once. It is used again afterwards, so that messages cost no memory.
type chunk struct {
	begun    time.Time // when its first message came
	records  []byte
	start    uint64 // log time of the first message
	end      uint64
	messages uint64
	indexes  []mcap.MessageIndex // by channel
	order    []uint16            // in which the channels appeared
	defines  []*definition
	attached []*mcap.Attachment // stand before it
}

// define adds the definition of a channel that no chunk has.
func (c *chunk) define(which *channel) {
	for _, d := range []*definition{which.schema, &which.definition} {
		if !d.written {
			d.written = true
			c.records = append(c.records, d.record...)
			c.defines = append(c.defines, d)
		}
	}
}

// add adds a message of a channel that this chunk, or an earlier one, defines.
func (c *chunk) add(which *channel, m Message, logged, published uint64) {
	id := which.channel.ID
	for int(id) >= len(c.indexes) {
		c.indexes = append(c.indexes, mcap.MessageIndex{ChannelID: uint16(len(c.indexes))})
	}
	index := &c.indexes[id]
	if index.IsEmpty() {
		c.order = append(c.order, id)
	}
	at := len(c.records)
	index.Add(logged, uint64(at))
	r := c.records
	r = append(r, byte(mcap.OpMessage))
	r = binary.LittleEndian.AppendUint64(r, 0) // the length is known at the end
	r = binary.LittleEndian.AppendUint16(r, id)
	r = binary.LittleEndian.AppendUint32(r, m.Sequence)
	r = binary.LittleEndian.AppendUint64(r, logged)
	r = binary.LittleEndian.AppendUint64(r, published)
	r = which.Encode(r, m.Data)
	binary.LittleEndian.PutUint64(r[at+1:], uint64(len(r)-at-recordHead))
	c.records = r
	if c.messages == 0 {
		c.start = logged
	}
	c.end = logged // they never go back
	c.messages++
}

// recordHead is the size of what a record begins with: what it is, and its length.
const recordHead = 9

// reset makes it empty.
func (c *chunk) reset() {
	for _, id := range c.order {
		c.indexes[id].Reset()
	}
	*c = chunk{records: c.records[:0], indexes: c.indexes, order: c.order[:0]}
}

func (c *chunk) size() int { return len(c.records) }

// writeTo writes the chunk, and notes in the statistics of the file what it holds.
func (c *chunk) writeTo(w *mcap.Writer) error {
	for _, one := range c.defines {
		if one.schema != nil {
			w.AddSchema(one.schema)
		} else {
			w.AddChannel(one.channel)
		}
	}
	for _, a := range c.attached {
		if err := w.WriteAttachment(a); err != nil {
			return err
		}
	}
	indexes := make([]*mcap.MessageIndex, 0, len(c.order))
	for _, id := range c.order {
		index := &c.indexes[id]
		indexes = append(indexes, index)
		n := uint64(len(index.Entries()))
		w.Statistics.ChannelMessageCounts[id] += n
		w.Statistics.MessageCount += n
	}
	before := *w.Statistics
	err := w.WriteChunkWithIndexes(&mcap.Chunk{
		MessageStartTime: c.start, MessageEndTime: c.end, UncompressedSize: uint64(len(c.records)),
		UncompressedCRC: crc32.ChecksumIEEE(c.records), Records: c.records,
	}, indexes)
	if c.messages == 0 { // the library takes its times, zero, for those of messages
		w.Statistics.MessageStartTime, w.Statistics.MessageEndTime = before.MessageStartTime, before.MessageEndTime
	}
	return err
}

// encode makes the record.
func (d *definition) encode() error {
	var record bytes.Buffer
	w, err := mcap.NewWriter(&record, &mcap.WriterOptions{SkipMagic: true})
	if err != nil {
		return err
	}
	if d.schema != nil {
		err = w.WriteSchema(d.schema)
	} else {
		w.AddSchema(&mcap.Schema{ID: d.channel.SchemaID}) // it has a record of its own
		err = w.WriteChannel(d.channel)
	}
	d.record = record.Bytes()
	return err
}
