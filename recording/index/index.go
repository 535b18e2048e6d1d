package index

import (
	"errors"
	"fmt"
	"io"

	"github.com/foxglove/mcap/go/mcap"
)

const (
	// MaxChunk is the largest chunk that is read, in bytes, as it is in the file and decompressed.
	MaxChunk = 256 << 20
	// maxRecord bounds other records but attachments, which are not read.
	maxRecord = 16 << 20
	// maxDefinitions bounds all that define schemas and channels.
	maxDefinitions = 128 << 20
	// maxSummary bounds an index.
	maxSummary = 512 << 20
	// maxCheck bounds how much at the end of a file is checked that was not completed.
	maxCheck = 256 << 20
	// maxChunks bounds how many chunks a file may have; an hour of Waldo's has about 7,000.
	maxChunks = 1 << 20
	// bareRun is how many bytes of messages that are in no chunk are treated as one.
	bareRun = 1 << 20
)

// Chunk is where a chunk is.
type Chunk struct {
	mcap.ChunkIndex
	// Bare is set for a run of records that are in no chunk: it begins with a record, and has no header.
	Bare bool
}

// Index is what a file holds.
type Index struct {
	Header      *mcap.Header
	Schemas     map[uint16]*mcap.Schema
	Channels    map[uint16]*mcap.Channel
	Chunks      []*Chunk // in the order of the file
	Metadata    []*mcap.MetadataIndex
	Attachments []*mcap.AttachmentIndex
	Statistics  mcap.Statistics

	End     int64 // where the data ends: after the last whole record
	Whole   bool  // the file was completed: it ends as it should
	Indexed bool  // it has an index, which was used
	Damage  error // why the data ends there, or why the index was not used; nil for a whole file

	counted bool                 // Statistics are those of the file
	ended   bool                 // the data ends with the record that says so
	defined int                  // bytes of definitions
	rebuilt []*mcap.MessageIndex // of the last chunk, if its own were not written: Append writes them
}

// ErrForeign is about a file that is no MCAP file.
var ErrForeign = errors.New("this is not an MCAP file")

// Load returns what a file of a size holds.
func Load(r io.ReaderAt, size int64) (*Index, error) {
	if size == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrForeign)
	}
	x, err := fromSummary(r, size)
	if err == nil {
		return x, nil
	}
	x, failed := Scan(r, size)
	if failed != nil {
		return nil, failed
	}
	x.Whole = x.ended && errors.Is(err, errTooLittle)
	if x.Damage == nil && !x.Whole {
		x.Damage = err
	}
	return x, nil
}

// Unfinished reports whether a damage is only that the writer has not come to the end.
func Unfinished(damage error) bool {
	return errors.Is(damage, errOpen) || errors.Is(damage, errCut) || errors.Is(damage, errLong) ||
		errors.Is(damage, errNoIndex)
}

func newIndex() *Index {
	return &Index{
		Schemas: map[uint16]*mcap.Schema{}, Channels: map[uint16]*mcap.Channel{},
		Statistics: mcap.Statistics{ChannelMessageCounts: map[uint16]uint64{}},
	}
}

// begin checks the first bytes of a file.
func begin(r io.ReaderAt, size int64) error {
	magic := make([]byte, len(mcap.Magic))
	if size < int64(len(magic)) {
		return ErrForeign
	}
	if _, err := r.ReadAt(magic, 0); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	if string(magic) != string(mcap.Magic) {
		return ErrForeign
	}
	return nil
}

// add adds a record that stands between chunks, in a chunk, or in the summary. Of several that define the same channel
// or schema the first one counts.
func (x *Index) add(op mcap.OpCode, body []byte) error {
	l := le{data: body}
	switch op {
	case mcap.OpHeader:
		h, err := mcap.ParseHeader(body)
		if err != nil {
			return fmt.Errorf("header: %w", err)
		}
		x.Header = h
	case mcap.OpSchema:
		if x.Schemas[l.uint16()] != nil {
			return nil
		}
		s, err := mcap.ParseSchema(body)
		if err != nil {
			return fmt.Errorf("schema: %w", err)
		}
		x.Schemas[s.ID] = s
		return x.define(len(body))
	case mcap.OpChannel:
		if x.Channels[l.uint16()] != nil {
			return nil
		}
		c, err := mcap.ParseChannel(body)
		if err != nil {
			return fmt.Errorf("channel: %w", err)
		}
		x.Channels[c.ID] = c
		return x.define(len(body))
	}
	return nil
}

// define counts the bytes of definitions.
func (x *Index) define(bytes int) error {
	if x.defined += bytes; x.defined > maxDefinitions {
		return fmt.Errorf("its channels and schemas have more than %d bytes", maxDefinitions)
	}
	return nil
}

// addChunk adds a chunk, whose place has been checked.
func (x *Index) addChunk(c *Chunk) error {
	if len(x.Chunks) >= maxChunks {
		return fmt.Errorf("the file has more than %d chunks", maxChunks)
	}
	x.Chunks = append(x.Chunks, c)
	span(&x.Statistics, c)
	return nil
}

// span extends the times of a file by those of a chunk.
func span(s *mcap.Statistics, c *Chunk) {
	if c.empty() {
		return
	}
	if s.MessageEndTime == 0 || c.MessageStartTime < s.MessageStartTime {
		s.MessageStartTime = c.MessageStartTime
	}
	s.MessageEndTime = max(s.MessageEndTime, c.MessageEndTime)
}

func (c *Chunk) empty() bool { return c.MessageStartTime == 0 && c.MessageEndTime == 0 }
