package index

import (
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/foxglove/mcap/go/mcap"
)

// Scan goes through a file from its beginning to the last whole record. It fails only for what is no MCAP file, or
// cannot be read at all. Of a chunk it reads what stands before the records, unless they define channels.
func Scan(r io.ReaderAt, size int64) (*Index, error) {
	if err := begin(r, size); err != nil {
		return nil, err
	}
	s := &scanner{
		file: file{&ahead{from: r, size: size, window: scanWindow}, size}, index: newIndex(), doubtful: newIndex(),
		counts: map[uint16]uint64{},
	}
	at := int64(len(mcap.Magic))
	s.end = at
	for {
		next, err := s.record(at)
		if errors.Is(err, errEnd) {
			s.index.ended = true
			break
		}
		if err != nil {
			s.damaged(uint64(at), err)
			break
		}
		at = next
	}
	if err := s.settle(true); err != nil {
		s.damaged(uint64(s.end), err)
	}
	if s.index.ended {
		s.salvageSummary(at)
	}
	s.define()
	s.index.End = s.end
	return s.index, nil
}

// scanWindow holds what stands between the messages of two chunks.
const scanWindow = 4 << 10

var (
	// errEnd ends a scan at the end of the data section.
	errEnd = errors.New("the data ends here")
	// errOpen is about data that ends between two records.
	errOpen = errors.New("the file was not completed")
)

type scanner struct {
	file
	index *Index
	end   int64  // after the last record that is kept
	last  *Chunk // the newest chunk, whose message indexes may follow
	open  bool   // whether last has not been settled
	bare  *Chunk // the run of bare messages that goes on

	counts map[uint16]uint64 // of the messages in last, as its indexes say

	doubtful *Index // definitions that may be damaged
}

// record takes the record at a place, and returns where the next one is.
func (s *scanner) record(at int64) (next int64, err error) {
	if at == s.size {
		return 0, errOpen
	}
	op, length, err := s.header(at)
	if err != nil {
		return 0, err
	}
	next = at + HeaderBytes + length
	if op != mcap.OpMessageIndex {
		if err := s.settle(false); err != nil {
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
	clear(s.counts)
	h, err := s.chunkHeader(at, length)
	if err != nil {
		s.damaged(uint64(at), err) // what follows it may be whole
		return nil
	}
	s.last, s.open = &Chunk{ChunkIndex: mcap.ChunkIndex{
		MessageStartTime: h.start, MessageEndTime: h.end, ChunkStartOffset: uint64(at),
		ChunkLength: uint64(HeaderBytes + length),
		Compression: h.compression, CompressedSize: uint64(h.compressed), UncompressedSize: h.size,
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
	if l.bad || int64(bytes) != length-6 || bytes%entryBytes != 0 {
		return errors.New("the index of a chunk is damaged")
	}
	if s.last.MessageIndexOffsets == nil {
		s.last.MessageIndexOffsets = map[uint16]uint64{}
	}
	s.last.MessageIndexOffsets[channel] = uint64(at)
	s.last.MessageIndexLength += uint64(HeaderBytes + length)
	s.counts[channel] += uint64(bytes / entryBytes)
	return nil
}

// entryBytes is the size of a message's place in the index of its chunk.
const entryBytes = 16

// settle ends the chunk whose message indexes have all come. Its records are read if it may define channels or has no
// indexes, and if it is the last one: then it may have lost some of them.
func (s *scanner) settle(last bool) error {
	if !s.open {
		return nil
	}
	s.open = false
	c := s.last
	known := len(s.counts) > 0 && !last
	for id := range s.counts {
		known = known && s.defined(id)
	}
	if !known {
		if err := s.readChunk(c, last); err != nil && last {
			return err
		} else if err != nil {
			s.damaged(c.ChunkStartOffset, err) // what follows it is whole
			s.salvage(c)
		}
	}
	if err := s.index.addChunk(c); err != nil {
		return err
	}
	for id, n := range s.counts {
		s.index.Statistics.ChannelMessageCounts[id] += n
		s.index.Statistics.MessageCount += n
	}
	s.end = int64(c.ChunkStartOffset + c.ChunkLength + c.MessageIndexLength)
	return nil
}

// readChunk counts the messages of a chunk, and adds what it defines. The indexes of the last chunk are made again if
// they are not whole.
func (s *scanner) readChunk(c *Chunk, last bool) error {
	records, err := Records(s.r, s.size, c)
	if err != nil {
		return err
	}
	counts, indexes := map[uint16]uint64{}, map[uint16]*mcap.MessageIndex{}
	if err := ForEach(records, func(op mcap.OpCode, at int, body []byte) error {
		if op != mcap.OpMessage {
			return s.index.add(op, body)
		}
		l := le{data: body}
		channel, _, logged := l.uint16(), l.uint32(), l.uint64()
		if l.bad {
			return errShort
		}
		counts[channel]++
		if last {
			if indexes[channel] == nil {
				indexes[channel] = &mcap.MessageIndex{ChannelID: channel}
			}
			indexes[channel].Add(logged, uint64(at))
		}
		return nil
	}); err != nil {
		return err
	}
	if last && !maps.Equal(counts, s.counts) {
		c.MessageIndexOffsets, c.MessageIndexLength = nil, 0
		s.index.rebuilt = sorted(indexes)
	}
	s.counts = counts
	return nil
}

// damaged notes what is wrong at a place, if it is the first.
func (s *scanner) damaged(at uint64, err error) {
	if s.index.Damage == nil {
		s.index.Damage = fmt.Errorf("at byte %d: %w", at, err)
	}
}

// errShort is about a message record without a message.
var errShort = errors.New("a message is too short")

// message adds a message that is in no chunk to a run of such messages.
func (s *scanner) message(at, length int64) error {
	head, err := s.body(at, min(length, 22), maxRecord)
	if err != nil {
		return err
	}
	l := le{data: head}
	channel, _, logged := l.uint16(), l.uint32(), l.uint64()
	if l.bad {
		return errShort
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
	a := &mcap.AttachmentIndex{Offset: uint64(at), Length: uint64(HeaderBytes + length), LogTime: l.uint64(),
		CreateTime: l.uint64()}
	a.Name = string(l.take(int(min(l.uint32(), 1<<16))))
	a.MediaType = string(l.take(int(min(l.uint32(), 1<<16))))
	a.DataSize = l.uint64()
	if l.bad || a.DataSize > uint64(length) {
		return errors.New("an attachment is damaged")
	}
	s.index.Attachments = append(s.index.Attachments, a)
	return nil
}

// CheckLast drops chunks at the end whose checksum is wrong: what a power failure left of the last ones.
func (x *Index) CheckLast(r io.ReaderAt, size int64) error {
	whole := len(x.Chunks)
	for checked := uint64(0); whole > 0 && checked < maxCheck; whole-- {
		c := x.Chunks[whole-1]
		if _, err := Records(r, size, c); err == nil {
			break
		}
		checked += c.ChunkLength
	}
	if whole == len(x.Chunks) {
		return nil
	}
	// What the others define and count is found again by going through what is before the first that is dropped.
	again, err := Scan(r, int64(x.Chunks[whole].ChunkStartOffset))
	if err != nil {
		return err
	}
	again.Damage = errors.New("the last chunk is damaged")
	*x = *again
	return nil
}
