package write

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/foxglove/mcap/go/mcap"
)

// chunk is a run of records that is written at once.
type chunk struct {
	begun    time.Time
	buffer   bytes.Buffer
	records  *mcap.Writer // encodes into the buffer
	start    uint64       // log time of the first message
	end      uint64
	messages int
	index    map[uint16]*mcap.MessageIndex
	order    []*mcap.MessageIndex // in which the channels appeared
	channels []*mcap.Channel      // defined here
	schemas  []*mcap.Schema
}

func newChunk() (*chunk, error) {
	c := &chunk{index: map[uint16]*mcap.MessageIndex{}}
	var err error
	if c.records, err = mcap.NewWriter(&c.buffer, &mcap.WriterOptions{}); err != nil {
		return nil, fmt.Errorf("encode records: %w", err)
	}
	c.buffer.Reset() // of the magic bytes of a file
	return c, nil
}

// define adds the definition of a channel.
func (c *chunk) define(channel *mcap.Channel, schema *mcap.Schema) error {
	if err := c.records.WriteSchema(schema); err != nil {
		return err
	}
	if err := c.records.WriteChannel(channel); err != nil {
		return err
	}
	c.channels, c.schemas = append(c.channels, channel), append(c.schemas, schema)
	return nil
}

// add adds a message of a channel that this chunk, or an earlier one, defines.
func (c *chunk) add(m *mcap.Message, channel *mcap.Channel) error {
	c.records.AddChannel(channel)
	index := c.index[m.ChannelID]
	if index == nil {
		index = &mcap.MessageIndex{ChannelID: m.ChannelID}
		c.index[m.ChannelID], c.order = index, append(c.order, index)
	}
	index.Add(m.LogTime, uint64(c.buffer.Len()))
	if err := c.records.WriteMessage(m); err != nil {
		return err
	}
	if c.messages == 0 {
		c.start, c.end = m.LogTime, m.LogTime
	}
	c.start, c.end = min(c.start, m.LogTime), max(c.end, m.LogTime)
	c.messages++
	return nil
}

func (c *chunk) size() int { return c.buffer.Len() }

// writeTo writes the chunk, and notes in the statistics of the file what it holds.
func (c *chunk) writeTo(w *mcap.Writer) error {
	for _, s := range c.schemas {
		w.AddSchema(s)
	}
	for _, one := range c.channels {
		w.AddChannel(one)
	}
	records := c.buffer.Bytes()
	err := w.WriteChunkWithIndexes(&mcap.Chunk{
		MessageStartTime: c.start, MessageEndTime: c.end, UncompressedSize: uint64(len(records)),
		UncompressedCRC: crc32.ChecksumIEEE(records), Records: records,
	}, c.order)
	if err != nil {
		return err
	}
	for _, index := range c.order {
		n := uint64(len(index.Entries()))
		w.Statistics.ChannelMessageCounts[index.ChannelID] += n
		w.Statistics.MessageCount += n
	}
	return nil
}
