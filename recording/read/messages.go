package read

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/foxglove/mcap/go/mcap"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/index"
)

// MaxOverlap bounds how many bytes of chunks that overlap in time are held at once.
const MaxOverlap = 512 << 20

// Query chooses messages. The zero value is all.
type Query struct {
	From     time.Time             // log time of the first; zero: the beginning
	To       time.Time             // log time before which the last is; zero: the end
	Channels func(c *Channel) bool // which channels; nil: all
}

// Message is a message of a file.
type Message struct {
	Channel   *Channel
	Logged    time.Time
	Published time.Time
	Sequence  uint32
	Data      []byte // as it was on the bus; as it is in the file for a channel of another program
}

// Messages gives messages by log time.
type Messages struct {
	file     *File
	from, to uint64
	wanted   map[uint16]*Channel
	next     int     // of the chunks
	loaded   []entry // what has been read and not been given, by time
	held     int     // bytes of chunks that loaded keeps in memory
	damage   error
}

// entry is a message of a chunk that is in memory.
type entry struct {
	logged uint64
	order  int // in the file
	body   []byte
	size   int // of its chunk, on the last of its messages
}

// Messages returns the messages that a query chooses.
func (f *File) Messages(q Query) *Messages {
	m := &Messages{file: f, from: stamp(q.From), to: math.MaxUint64, wanted: map[uint16]*Channel{}}
	if !q.To.IsZero() {
		m.to = stamp(q.To)
	}
	for id, c := range f.channels {
		if q.Channels == nil || q.Channels(c) {
			m.wanted[id] = c
		}
	}
	return m
}

// Damage returns why chunks were left out so far; nil if none was.
func (m *Messages) Damage() error { return m.damage }

// Next returns the next message, and io.EOF after the last one.
func (m *Messages) Next() (Message, error) {
	for {
		if err := m.load(); err != nil {
			return Message{}, err
		}
		if len(m.loaded) == 0 {
			return Message{}, io.EOF
		}
		e := m.loaded[0]
		m.loaded = m.loaded[1:]
		m.held -= e.size
		var parsed mcap.Message
		if err := parsed.PopulateFrom(e.body, false); err != nil {
			m.damage = errors.Join(m.damage, err)
			continue
		}
		return m.message(&parsed), nil
	}
}

func (m *Messages) message(p *mcap.Message) Message {
	c := m.wanted[p.ChannelID]
	data := p.Data
	if c.Waldo.Type != "" {
		data = recording.Original(data)
	}
	return Message{Channel: c, Logged: wall(p.LogTime), Published: wall(p.PublishTime), Sequence: p.Sequence, Data: data}
}

// load reads the chunks that may have messages before the first one that is loaded.
func (m *Messages) load() error {
	for m.next < len(m.file.chunks) {
		c := m.file.chunks[m.next]
		if len(m.loaded) > 0 && c.MessageStartTime > m.loaded[0].logged {
			return nil
		}
		m.next++
		if c.MessageStartTime >= m.to || c.MessageEndTime < m.from || !m.hasWanted(c) {
			continue
		}
		if err := m.loadChunk(c, m.next); err != nil {
			return err
		}
	}
	return nil
}

// hasWanted reports whether a chunk may have wanted messages.
func (m *Messages) hasWanted(c *index.Chunk) bool {
	if len(c.MessageIndexOffsets) == 0 {
		return true // it does not say
	}
	for id := range c.MessageIndexOffsets {
		if m.wanted[id] != nil {
			return true
		}
	}
	return false
}

func (m *Messages) loadChunk(c *index.Chunk, order int) error {
	records, err := index.Records(m.file.file, m.file.size, c)
	if err != nil {
		m.damage = errors.Join(m.damage, fmt.Errorf("%s: at byte %d: %w", m.file.path, c.ChunkStartOffset, err))
		return nil
	}
	if m.held += len(records); m.held > MaxOverlap {
		return fmt.Errorf("%s: its chunks overlap in time by more than %d bytes: sort it first", m.file.path, MaxOverlap)
	}
	before := len(m.loaded)
	if err := index.ForEach(records, func(op mcap.OpCode, _ int, body []byte) error {
		const head = 2 + 4 + 8 + 8
		if op != mcap.OpMessage || len(body) < head || m.wanted[binary.LittleEndian.Uint16(body)] == nil {
			return nil
		}
		if logged := binary.LittleEndian.Uint64(body[6:]); logged >= m.from && logged < m.to {
			m.loaded = append(m.loaded, entry{logged: logged, order: order, body: body})
		}
		return nil
	}); err != nil {
		m.damage = errors.Join(m.damage, fmt.Errorf("%s: at byte %d: %w", m.file.path, c.ChunkStartOffset, err))
	}
	if before == len(m.loaded) {
		m.held -= len(records)
		return nil
	}
	sortEntries(m.loaded[before:])
	m.loaded[len(m.loaded)-1].size = len(records)
	if before > 0 {
		sortEntries(m.loaded)
	}
	return nil
}

func sortEntries(all []entry) {
	byTime := func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.logged, b.logged), cmp.Compare(a.order, b.order))
	}
	if !slices.IsSortedFunc(all, byTime) {
		slices.SortStableFunc(all, byTime)
	}
}
