package index

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/foxglove/mcap/go/mcap"
)

// Append writes what follows the data of a file: metadata to add, the end of the data, the index and the footer. Out is
// positioned at x.End.
func (x *Index) Append(out io.Writer, added ...*mcap.Metadata) error {
	buffered := bufio.NewWriterSize(&skip{to: out, n: len(mcap.Magic)}, 1<<20)
	w, err := mcap.NewWriter(buffered, &mcap.WriterOptions{})
	if err != nil {
		return err
	}
	base := uint64(x.End) - w.Offset() // of the file, at offset 0 of the writer
	if err := x.writeRebuilt(w, base); err != nil {
		return err
	}
	for _, m := range added {
		at := w.Offset()
		if err := w.WriteMetadata(m); err != nil {
			return err
		}
		x.Metadata = append(x.Metadata, &mcap.MetadataIndex{Offset: base + at, Length: w.Offset() - at, Name: m.Name})
	}
	if err := w.WriteDataEnd(&mcap.DataEnd{}); err != nil {
		return err
	}
	if err := x.appendSummary(buffered, base+w.Offset()); err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	return buffered.Flush()
}

// appendSummary writes the index and the footer, at a place in the file.
func (x *Index) appendSummary(out io.Writer, base uint64) error {
	w, err := mcap.NewWriter(out, &mcap.WriterOptions{SkipMagic: true, IncludeCRC: true})
	if err != nil {
		return err
	}
	for _, c := range sorted(x.Channels) {
		w.AddChannel(c) // those that are added are written in chunk indexes and statistics
	}
	offsets, err := x.groups(w, base)
	if err != nil {
		return err
	}
	footer := &mcap.Footer{SummaryStart: base, SummaryOffsetStart: base + w.Offset()}
	for _, o := range offsets {
		if err := w.WriteSummaryOffset(o); err != nil {
			return err
		}
	}
	if err := w.WriteFooter(footer); err != nil {
		return err
	}
	_, err = out.Write(mcap.Magic)
	return err
}

// writeRebuilt writes the message indexes of the last chunk, which ends where the writer begins.
func (x *Index) writeRebuilt(w *mcap.Writer, base uint64) error {
	if len(x.rebuilt) == 0 {
		return nil
	}
	last := x.Chunks[len(x.Chunks)-1]
	last.MessageIndexOffsets = map[uint16]uint64{}
	from := w.Offset()
	for _, index := range x.rebuilt {
		last.MessageIndexOffsets[index.ChannelID] = base + w.Offset()
		if err := w.WriteMessageIndex(index); err != nil {
			return err
		}
	}
	last.MessageIndexLength = w.Offset() - from
	return nil
}

// groups writes the records of the summary, those of one sort together, and returns where each sort is.
func (x *Index) groups(w *mcap.Writer, base uint64) (offsets []*mcap.SummaryOffset, err error) {
	bare := slices.ContainsFunc(x.Chunks, func(c *Chunk) bool { return c.Bare })
	group := func(op mcap.OpCode, write func() error) {
		if err != nil {
			return
		}
		from := w.Offset()
		if err = write(); err == nil && w.Offset() > from {
			offsets = append(offsets,
				&mcap.SummaryOffset{GroupOpcode: op, GroupStart: base + from, GroupLength: w.Offset() - from})
		}
	}
	group(mcap.OpSchema, func() error { return each(sorted(x.Schemas), w.WriteSchema) })
	group(mcap.OpChannel, func() error { return each(sorted(x.Channels), w.WriteChannel) })
	group(mcap.OpStatistics, func() error { return w.WriteStatistics(x.statistics()) })
	group(mcap.OpChunkIndex, func() error {
		return each(x.Chunks, func(c *Chunk) error {
			if bare {
				return nil // by an index of the others, readers would miss them
			}
			return w.WriteChunkIndex(x.known(&c.ChunkIndex))
		})
	})
	group(mcap.OpAttachmentIndex, func() error { return each(x.Attachments, w.WriteAttachmentIndex) })
	group(mcap.OpMetadataIndex, func() error { return each(x.Metadata, w.WriteMetadataIndex) })
	return offsets, err
}

// known leaves out channels that nothing defines: the library would write a record that cannot be read.
func (x *Index) known(c *mcap.ChunkIndex) *mcap.ChunkIndex {
	known := *c
	known.MessageIndexOffsets = maps.Clone(c.MessageIndexOffsets)
	maps.DeleteFunc(known.MessageIndexOffsets, func(id uint16, _ uint64) bool { return x.Channels[id] == nil })
	return &known
}

func (x *Index) statistics() *mcap.Statistics {
	s := x.Statistics
	s.SchemaCount, s.ChannelCount = uint16(len(x.Schemas)), uint32(len(x.Channels))
	s.AttachmentCount, s.MetadataCount = uint32(len(x.Attachments)), uint32(len(x.Metadata))
	s.ChunkCount = 0
	for _, c := range x.Chunks {
		if !c.Bare {
			s.ChunkCount++
		}
	}
	return &s
}

func sorted[T any](all map[uint16]T) []T {
	list := make([]T, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[id])
	}
	return list
}

func each[T any](all []T, do func(T) error) error {
	for _, one := range all {
		if err := do(one); err != nil {
			return err
		}
	}
	return nil
}

// skip leaves out the first bytes: the magic ones with which a writer of the library begins.
type skip struct {
	to io.Writer
	n  int
}

// Write implements [io.Writer].
func (s *skip) Write(p []byte) (int, error) {
	left := min(s.n, len(p))
	s.n -= left
	n, err := s.to.Write(p[left:])
	return left + n, err
}
