package index

import (
	"github.com/foxglove/mcap/go/mcap"
)

// salvage keeps the definitions in a chunk that is damaged, up to the damage. They count where there are no others: a
// writer may define channels in one chunk and in the summary only, and both can be damaged.
func (s *scanner) salvage(c *Chunk) {
	if c.Compression != mcap.CompressionNone {
		return
	}
	start, end, err := s.plain(c)
	if err != nil {
		return
	}
	records := make([]byte, end-start)
	if _, err := s.r.ReadAt(records, start); err != nil {
		return
	}
	_ = ForEach(records, func(op mcap.OpCode, _ int, body []byte) error { return s.doubt(op, body) }) // up to the damage
}

// salvageSummary keeps the definitions in the summary, which begins at or after a place, up to what cannot be read.
func (s *scanner) salvageSummary(at int64) {
	for {
		op, length, err := s.header(at)
		if err != nil {
			return
		}
		if op == mcap.OpSchema || op == mcap.OpChannel {
			body, err := s.body(at, length, maxRecord)
			if err != nil || s.doubt(op, body) != nil {
				return
			}
		}
		at += HeaderBytes + length
	}
}

// doubt keeps a definition that may be damaged. It fails if there are too many.
func (s *scanner) doubt(op mcap.OpCode, body []byte) error {
	if op != mcap.OpSchema && op != mcap.OpChannel {
		return nil
	}
	_ = s.doubtful.add(op, body) // one that cannot be read is left out
	return s.doubtful.define(0)
}

// define takes definitions that may be damaged for channels that have messages, and for which there are no others.
func (s *scanner) define() {
	x := s.index
	for id, c := range s.doubtful.Channels {
		if x.Channels[id] == nil && x.Statistics.ChannelMessageCounts[id] > 0 {
			x.Channels[id] = c
		}
	}
	for _, c := range x.Channels {
		if found := s.doubtful.Schemas[c.SchemaID]; found != nil && x.Schemas[c.SchemaID] == nil {
			x.Schemas[c.SchemaID] = found
		}
	}
}

// defined reports whether there is a definition of a channel.
func (s *scanner) defined(id uint16) bool {
	return s.index.Channels[id] != nil || s.doubtful.Channels[id] != nil
}
