package index

import (
	"errors"
	"fmt"
	"io"

	"github.com/foxglove/mcap/go/mcap"
)

// Scan goes through a file from its beginning to the last whole record. It fails only for what is no MCAP file, or cannot
// be read at all. Of a chunk it reads what stands before the records, unless they define channels.
func Scan(r io.ReaderAt, size int64) (*Index, error) {
	if err := begin(r, size); err != nil {
		return nil, err
	}
	s := &scanner{file: file{r, size}, index: newIndex()}
	at := int64(len(mcap.Magic))
	for {
		next, err := s.record(at)
		if errors.Is(err, errEnd) {
			break
		}
		if err != nil {
			s.index.Damage = fmt.Errorf("at byte %d: %w", at, err)
			break
		}
		at = next
	}
	if err := s.settle(); err != nil && s.index.Damage == nil {
		s.index.Damage = err
	}
	s.index.End = s.end
	return s.index, nil
}

// errEnd ends a scan at the end of the data section.
var errEnd = errors.New("the data ends here")

type scanner struct {
	file
	index *Index
	end   int64  // after the last record that is kept
	last  *Chunk // the newest chunk, whose message indexes may follow
	open  bool   // whether last has not been settled
	bare  *Chunk // the run of bare messages that goes on
}

// record takes the record at a place, and returns where the next one is.
func (s *scanner) record(at int64) (next int64, err error) {
	op, length, err := s.header(at)
	if err != nil {
		return 0, err
	}
	next = at + HeaderBytes + length
	if op != mcap.OpMessageIndex {
		if err := s.settle(); err != nil {
			return 0, err
		}
	}
	if op != mcap.OpMessage {
		s.bare = nil
	}
	switch op {
	case mcap.OpDataEnd, mcap.OpFooter:
		return 0, errEnd
	case mcap.OpChunk:
		err = s.chunk(at, length)
	case mcap.OpMessageIndex:
		err = s.messageIndex(at, length)
	case mcap.OpMessage:
		err = s.message(at, length)
	case mcap.OpMetadata:
		err = s.metadata(at, length)
	case mcap.OpAttachment:
		err = s.attachment(at, length)
	case mcap.OpHeader, mcap.OpSchema, mcap.OpChannel:
		var body []byte
		if body, err = s.body(at, length, maxRecord); err == nil {
			err = s.index.add(op, body)
		}
	}
	if err != nil {
		return 0, err
	}
	if !s.open {
		s.end = next
	}
	return next, nil
}

func (s *scanner) chunk(at, length int64) error {
	h, err := s.chunkHeader(at, length)
	if err != nil {
		return err
	}
	s.last, s.open = &Chunk{ChunkIndex: mcap.ChunkIndex{
		MessageStartTime: h.start, MessageEndTime: h.end, ChunkStartOffset: uint64(at), ChunkLength: uint64(HeaderBytes + length),
		MessageIndexOffsets: map[uint16]uint64{}, Compression: h.compression, CompressedSize: uint64(h.compressed),
		UncompressedSize: h.size,
	}}, true
	return nil
}

// messageIndex takes what says which messages the chunk before it has.
func (s *scanner) messageIndex(at, length int64) error {
	if s.last == nil || !s.open {
		return nil
	}
	head, err := s.body(at, min(length, 6), maxRecord)
	if err != nil {
		return err
	}
	l := le{data: head}
	channel, bytes := l.uint16(), l.uint32()
	if l.bad || int64(bytes) != length-6 || bytes%16 != 0 {
		return errors.New("the index of a chunk is damaged")
	}
	s.last.MessageIndexOffsets[channel] = uint64(at)
	s.last.MessageIndexLength += uint64(HeaderBytes + length)
	return nil
}

// settle ends the chunk whose message indexes have all come. If it may define channels, or has no indexes, its records are
// read.
func (s *scanner) settle() error {
	if !s.open {
		return nil
	}
	s.open = false
	c := s.last
	known := len(c.MessageIndexOffsets) > 0
	for id := range c.MessageIndexOffsets {
		known = known && s.index.Channels[id] != nil
	}
	counts, err := s.counts(c, known)
	if err != nil {
		return err
	}
	if err := s.index.addChunk(c); err != nil {
		return err
	}
	for id, n := range counts {
		s.index.Statistics.ChannelMessageCounts[id] += n
		s.index.Statistics.MessageCount += n
	}
	s.end = int64(c.ChunkStartOffset + c.ChunkLength + c.MessageIndexLength)
	return nil
}

// counts returns how many messages of each channel a chunk has.
func (s *scanner) counts(c *Chunk, indexed bool) (map[uint16]uint64, error) {
	counts := map[uint16]uint64{}
	if indexed {
		for id, at := range c.MessageIndexOffsets {
			_, length, err := s.header(int64(at))
			if err != nil {
				return nil, err
			}
			counts[id] = uint64(length-6) / 16
		}
		return counts, nil
	}
	records, err := Records(s.r, s.size, c)
	if err != nil {
		return nil, err
	}
	return counts, ForEach(records, func(op mcap.OpCode, _ int, body []byte) error {
		if op == mcap.OpMessage {
			l := le{data: body}
			counts[l.uint16()]++
			return nil
		}
		return s.index.add(op, body)
	})
}

// message adds a message that is in no chunk to a run of such messages.
func (s *scanner) message(at, length int64) error {
	head, err := s.body(at, min(length, 22), maxRecord)
	if err != nil {
		return err
	}
	l := le{data: head}
	channel, _, logged := l.uint16(), l.uint32(), l.uint64()
	if l.bad {
		return errors.New("a message is too short")
	}
	if b := s.bare; b == nil || b.ChunkStartOffset+b.ChunkLength != uint64(at) || b.ChunkLength >= bareRun {
		s.bare = &Chunk{Bare: true, ChunkIndex: mcap.ChunkIndex{
			ChunkStartOffset: uint64(at), MessageStartTime: logged, MessageEndTime: logged,
		}}
		if err := s.index.addChunk(s.bare); err != nil {
			return err
		}
	}
	b := s.bare
	b.ChunkLength += uint64(HeaderBytes + length)
	b.MessageStartTime, b.MessageEndTime = min(b.MessageStartTime, logged), max(b.MessageEndTime, logged)
	statistics := &s.index.Statistics
	statistics.MessageStartTime = min(statistics.MessageStartTime, logged)
	statistics.MessageEndTime = max(statistics.MessageEndTime, logged)
	statistics.ChannelMessageCounts[channel]++
	statistics.MessageCount++
	return nil
}

func (s *scanner) metadata(at, length int64) error {
	body, err := s.body(at, length, maxRecord)
	if err != nil {
		return err
	}
	m, err := mcap.ParseMetadata(body)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	s.index.Metadata = append(s.index.Metadata, &mcap.MetadataIndex{
		Offset: uint64(at), Length: uint64(HeaderBytes + length), Name: m.Name,
	})
	return nil
}

// attachment reads what stands before the data of an attachment.
func (s *scanner) attachment(at, length int64) error {
	head, err := s.body(at, min(length, 4096), maxRecord)
	if err != nil {
		return err
	}
	l := le{data: head}
	a := &mcap.AttachmentIndex{Offset: uint64(at), Length: uint64(HeaderBytes + length), LogTime: l.uint64(), CreateTime: l.uint64()}
	a.Name = string(l.take(int(min(l.uint32(), 1<<16))))
	a.MediaType = string(l.take(int(min(l.uint32(), 1<<16))))
	a.DataSize = l.uint64()
	if l.bad || a.DataSize > uint64(length) {
		return errors.New("an attachment is damaged")
	}
	s.index.Attachments = append(s.index.Attachments, a)
	return nil
}

// CheckLast drops chunks at the end whose checksum is wrong: what a power failure left of the last one.
func (x *Index) CheckLast(r io.ReaderAt, size int64) error {
	for len(x.Chunks) > 0 {
		last := x.Chunks[len(x.Chunks)-1]
		if _, err := Records(r, size, last); err == nil {
			return nil
		}
		// What it defines and counts is found again by going through what is before it.
		again, err := Scan(r, int64(last.ChunkStartOffset))
		if err != nil {
			return err
		}
		again.Damage = errors.New("the last chunk is damaged")
		*x = *again
	}
	return nil
}
