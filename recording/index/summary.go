package index

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/foxglove/mcap/go/mcap"
)

// footerBytes is the size of a footer record with the magic bytes after it.
const footerBytes = HeaderBytes + 8 + 8 + 4 + 8

// errNoIndex is about a file that has to be gone through.
var errNoIndex = errors.New("it has no index: it was not completed")

// errTooLittle is about a whole file that has to be gone through, as its writer left out what is needed here.
var errTooLittle = errors.New("its index is not enough")

// window is how much of an index is read at once.
const window = 256 << 10

// fromSummary reads the index at the end of a file.
func fromSummary(r io.ReaderAt, size int64) (*Index, error) {
	if err := begin(r, size); err != nil {
		return nil, err
	}
	f := file{&ahead{from: r, size: size, window: window}, size}
	at := size - footerBytes
	op, length, err := f.header(at)
	if err != nil || op != mcap.OpFooter || length != footerBytes-HeaderBytes-8 {
		return nil, errNoIndex
	}
	body, err := f.body(at, length, maxRecord)
	if err != nil {
		return nil, err
	}
	l := le{data: body}
	if end, err := f.body(size-int64(len(mcap.Magic))-HeaderBytes, int64(len(mcap.Magic)), maxRecord); err != nil ||
		string(end) != string(mcap.Magic) {
		return nil, errNoIndex
	}
	start := int64(l.uint64())
	if start == 0 {
		return nil, errTooLittle
	}
	if start <= int64(len(mcap.Magic)) || start >= at || at-start > maxSummary {
		return nil, errNoIndex
	}
	if err := checkSummary(r, start, size, binary.LittleEndian.Uint32(body[16:])); err != nil {
		return nil, err
	}
	x := newIndex()
	x.Whole, x.Indexed, x.End = true, true, start
	if err := x.first(f); err != nil {
		return nil, err
	}
	if err := x.summary(f, start, at); err != nil {
		return nil, fmt.Errorf("its index is damaged: %w", err)
	}
	// Writers count the times of chunks without messages, zero, as those of messages.
	x.Statistics.MessageStartTime, x.Statistics.MessageEndTime = 0, 0
	for _, c := range x.Chunks {
		span(&x.Statistics, c)
	}
	if err := x.disjoint(); err != nil {
		return nil, err
	}
	return x, x.usable()
}

// disjoint fails if chunks are in the same place, as they are in no file that was written: it would be read again and
// again. An index of messages that is not where that of its chunk is, for the same reason, is not used.
func (x *Index) disjoint() error {
	byPlace := func(a, b *Chunk) int { return cmp.Compare(a.ChunkStartOffset, b.ChunkStartOffset) }
	all := slices.SortedFunc(slices.Values(x.Chunks), byPlace)
	for i, c := range all {
		next := uint64(x.End)
		if i+1 < len(all) {
			next = all[i+1].ChunkStartOffset
		}
		end := c.ChunkStartOffset + c.ChunkLength
		if end > next {
			return errors.New("its index is damaged: it names two chunks in one place")
		}
		for _, at := range c.MessageIndexOffsets {
			if at < end || at >= next {
				c.MessageIndexOffsets = nil
				break
			}
		}
	}
	return nil
}

// checkSummary compares an index with its checksum, if it has one.
func checkSummary(r io.ReaderAt, start, size int64, want uint32) error {
	if want == 0 {
		return nil
	}
	sum := crc32.NewIEEE()
	end := size - int64(len(mcap.Magic)) - 4 // the checksum itself
	if _, err := io.Copy(sum, io.NewSectionReader(r, start, end-start)); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	if sum.Sum32() != want {
		return errors.New("its index is damaged: its checksum is wrong")
	}
	return nil
}

// first reads the header record, if the file begins with one.
func (x *Index) first(f file) error {
	at := int64(len(mcap.Magic))
	op, length, err := f.header(at)
	if err != nil || op != mcap.OpHeader {
		return nil // what follows can be read nevertheless
	}
	body, err := f.body(at, length, maxRecord)
	if err != nil {
		return err
	}
	return x.add(op, body)
}

// summary takes the records from start to end.
func (x *Index) summary(f file, start, end int64) error {
	inside := file{f.r, end}
	for at := start; at < end; {
		op, length, err := inside.header(at)
		if err != nil {
			return err
		}
		if inSummary(op) {
			body, err := inside.body(at, length, maxRecord)
			if err != nil {
				return err
			}
			if err := x.summaryRecord(op, body, start); err != nil {
				return err
			}
		}
		at += HeaderBytes + length
	}
	return nil
}

// inSummary reports whether a record of an index is needed.
func inSummary(op mcap.OpCode) bool {
	switch op {
	case mcap.OpSchema, mcap.OpChannel, mcap.OpChunkIndex, mcap.OpAttachmentIndex, mcap.OpMetadataIndex, mcap.OpStatistics:
		return true
	default:
		return false
	}
}

func (x *Index) summaryRecord(op mcap.OpCode, body []byte, end int64) error {
	switch op {
	case mcap.OpChunkIndex:
		c, err := mcap.ParseChunkIndex(body)
		if err != nil {
			return fmt.Errorf("chunk index: %w", err)
		}
		if !inside(c.ChunkStartOffset, c.ChunkLength, end) || c.CompressedSize > MaxChunk || c.UncompressedSize > MaxChunk {
			return errors.New("a chunk is not in the file")
		}
		return x.addChunk(&Chunk{ChunkIndex: *c})
	case mcap.OpAttachmentIndex:
		a, err := mcap.ParseAttachmentIndex(body)
		if err != nil || !inside(a.Offset, a.Length, end) || a.DataSize > a.Length {
			return errors.New("an attachment is not in the file")
		}
		x.Attachments = append(x.Attachments, a)
	case mcap.OpMetadataIndex:
		m, err := mcap.ParseMetadataIndex(body)
		if err != nil || !inside(m.Offset, m.Length, end) {
			return errors.New("metadata is not in the file")
		}
		x.Metadata = append(x.Metadata, m)
	case mcap.OpStatistics:
		s, err := mcap.ParseStatistics(body)
		if err != nil {
			return fmt.Errorf("statistics: %w", err)
		}
		x.Statistics, x.counted = *s, true
	default:
		return x.add(op, body)
	}
	return nil
}

func inside(offset, length uint64, end int64) bool {
	return offset < uint64(end) && length <= uint64(end)-offset
}

// usable fails for an index with which the messages cannot all be found.
func (x *Index) usable() error {
	s := x.Statistics
	if !x.counted || uint64(s.ChunkCount) != uint64(len(x.Chunks)) || len(x.Chunks) == 0 && s.MessageCount > 0 {
		return fmt.Errorf("%w: it does not name all chunks", errTooLittle)
	}
	if len(x.Channels) != int(s.ChannelCount) {
		return fmt.Errorf("%w: it does not name the channels", errTooLittle)
	}
	for _, c := range x.Channels {
		if c.SchemaID != 0 && x.Schemas[c.SchemaID] == nil {
			return fmt.Errorf("%w: it does not name all schemas", errTooLittle)
		}
	}
	return nil
}
