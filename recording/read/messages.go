package read

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/foxglove/mcap/go/mcap"

	"github.com/waldo-robot/waldo/recording/index"
)

// MaxOverlap bounds how many bytes of chunks that overlap in time are held at once.
const MaxOverlap = 512 << 20

// Query chooses messages. The zero value is all.
type Query struct {
	From     time.Time             // log time of the first; zero: the beginning
	To       time.Time             // log time before which the last is; zero: the end
	Channels func(c *Channel) bool // which channels; nil: all
	// Sparse is for few messages among many: only they are read, and not the chunks that they are in, where that is
	// sooner. The checksums of chunks are not checked then.
	Sparse bool
	// Most is how many bytes are read, or decompressed, before the search ends with [ErrMost]; 0: any number. Each access
	// counts as a page at least.
	Most int64
}

// ErrMost is the damage of messages that would cost more than was allowed. Those before are given.
var ErrMost = errors.New("it would take too long to find all of them")

// Message is a message of a file.
type Message struct {
	Channel   *Channel
	Logged    time.Time
	Published time.Time
	Sequence  uint32
	Data      []byte // as it was on the bus; as it is in the file for a channel of another program. It stays as it is
}

// Messages gives messages by log time.
type Messages struct {
	file     *File
	disk     *limited
	from, to uint64
	sparse   bool
	wanted   map[uint16]*Channel
	next     int     // of the chunks
	loaded   cursors // of the chunks that have been read, and have messages that were not given
	held     int     // bytes of chunks that they keep in memory
	damage   error
}

// Messages returns the messages that a query chooses.
func (f *File) Messages(q Query) *Messages {
	m := &Messages{file: f, disk: &limited{from: f.file, left: q.Most, bounded: q.Most > 0}, from: stamp(q.From),
		to: math.MaxUint64, sparse: q.Sparse, wanted: map[uint16]*Channel{}}
	if !q.To.IsZero() {
		m.to = stamp(q.To)
	}
	for id, c := range f.channels {
		if q.Channels == nil || q.Channels(c) {
			m.wanted[id] = c
		}
	}
	if len(m.wanted) == 0 { // also chunks that do not say what they have need not be read
		m.next = len(f.chunks)
	}
	return m
}

// Damage returns why chunks were left out so far; nil if none was. Of many, it tells of the first.
func (m *Messages) Damage() error { return m.damage }

// Next returns the next message, and io.EOF after the last one.
func (m *Messages) Next() (Message, error) {
	if err := m.load(); err != nil {
		return Message{}, err
	}
	if len(m.loaded) == 0 {
		return Message{}, io.EOF
	}
	c := m.loaded[0]
	body := c.bodies[0]
	if c.bodies = c.bodies[1:]; len(c.bodies) > 0 {
		heap.Fix(&m.loaded, 0)
	} else {
		m.held -= c.size
		heap.Pop(&m.loaded)
	}
	return m.message(body)
}

// Each calls do for each message that comes next, until there are no more, ctx ends, or do fails.
func (m *Messages) Each(ctx context.Context, do func(Message) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		one, err := m.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(one)
		}
		if err != nil {
			return err
		}
	}
}

func (m *Messages) message(body []byte) (Message, error) {
	var p mcap.Message
	if err := p.PopulateFrom(body, false); err != nil {
		return Message{}, fmt.Errorf("%s: a message: %w", m.file.path, err)
	}
	c := m.wanted[p.ChannelID]
	return Message{Channel: c, Logged: wall(p.LogTime), Published: wall(p.PublishTime), Sequence: p.Sequence,
		Data: c.Waldo.Original(p.Data)}, nil
}

// load reads the chunks that may have messages before the first one that is loaded.
func (m *Messages) load() error {
	for m.next < len(m.file.chunks) {
		c := m.file.chunks[m.next]
		if len(m.loaded) > 0 && c.MessageStartTime > logged(m.loaded[0].bodies[0]) {
			return nil
		}
		m.next++
		if c.MessageStartTime >= m.to || c.MessageEndTime < m.from || !m.hasWanted(c) {
			continue
		}
		if err := m.loadChunk(c); err != nil {
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

func (m *Messages) loadChunk(c *index.Chunk) error {
	bodies, size, err := m.bodies(c)
	if err == nil && m.disk.spent() {
		err = ErrMost // for what comes after this chunk
	}
	if err != nil {
		err = fmt.Errorf("%s: at byte %d: %w", m.file.path, c.ChunkStartOffset, err)
		m.damage = cmp.Or(m.damage, err)
		if !errors.Is(err, ErrMost) {
			m.file.bad.add(c.ChunkStartOffset, err)
		}
	}
	if m.disk.spent() {
		m.next = len(m.file.chunks)
	}
	if len(bodies) == 0 {
		return nil
	}
	if m.held += size; m.held > MaxOverlap {
		return fmt.Errorf("%s: its chunks overlap in time by more than %d bytes: sort it first", m.file.path, MaxOverlap)
	}
	byTime := func(a, b []byte) int { return cmp.Compare(logged(a), logged(b)) }
	if !slices.IsSortedFunc(bodies, byTime) {
		slices.SortStableFunc(bodies, byTime)
	}
	heap.Push(&m.loaded, &cursor{bodies: bodies, size: size, order: m.next})
	return nil
}

// bodies returns the wanted messages of a chunk, and how many bytes they keep in memory. Those before a damage are
// whole.
func (m *Messages) bodies(c *index.Chunk) (bodies [][]byte, size int, err error) {
	if m.sparse {
		wanted := func(id uint16) bool { return m.wanted[id] != nil }
		bodies, done, err := index.Pick(m.disk, m.file.size, c, wanted, m.from, m.to)
		if done {
			bodies = slices.DeleteFunc(bodies, func(b []byte) bool { return !m.wants(b) })
			for _, b := range bodies {
				size += cap(b)
			}
			return bodies, size, err
		}
	}
	records, err := index.Records(m.disk, m.file.size, c)
	if err != nil {
		return nil, 0, err
	}
	m.disk.left -= int64(len(records))
	err = index.ForEach(records, func(op mcap.OpCode, _ int, body []byte) error {
		if op == mcap.OpMessage && m.wants(body) {
			bodies = append(bodies, body)
		}
		return nil
	})
	return bodies, len(records), err
}

// wants reports whether a message is one of those that were asked for.
func (m *Messages) wants(body []byte) bool {
	if len(body) < index.MessageHead || m.wanted[binary.LittleEndian.Uint16(body)] == nil {
		return false
	}
	t := logged(body)
	return t >= m.from && t < m.to
}

// logged is the log time of a message.
func logged(body []byte) uint64 { return binary.LittleEndian.Uint64(body[6:]) }

// cursor goes through the messages of a chunk that is in memory.
type cursor struct {
	bodies [][]byte // by time; never empty
	size   int      // of what they keep in memory
	order  int      // of the chunk
}

// cursors is a heap: the first has the next message.
type cursors []*cursor

func (c cursors) Len() int { return len(c) }

func (c cursors) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(logged(c[i].bodies[0]), logged(c[j].bodies[0])), cmp.Compare(c[i].order, c[j].order)) < 0
}

func (c cursors) Swap(i, j int) { c[i], c[j] = c[j], c[i] }

// Push implements [heap.Interface].
func (c *cursors) Push(x any) { *c = append(*c, x.(*cursor)) }

// Pop implements [heap.Interface].
func (c *cursors) Pop() any {
	last := len(*c) - 1
	x := (*c)[last]
	(*c)[last] = nil
	*c = (*c)[:last]
	return x
}
