package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/frames"
	"github.com/waldo-robot/waldo/recording/mp4"
	"github.com/waldo-robot/waldo/recording/read"
)

// Source is a recording.
type Source struct {
	files      []*read.File // by time
	begin, end time.Time    // of the messages in them

	mu      sync.Mutex
	first   map[name]frames.Frame
	earlier map[place]mp4.Description // of the piece that ended where another begins
}

// name is a stream, of a device.
type name struct{ device, stream string }

// place is where a piece begins.
type place struct {
	name
	at int64
}

// New returns the source that files make together. They must not be closed before it has been used for the last time.
func New(files []*read.File) *Source {
	s := &Source{first: map[name]frames.Frame{}, earlier: map[place]mp4.Description{}}
	for _, f := range files {
		if f.Count() == 0 {
			continue
		}
		first, last := f.Span()
		if len(s.files) == 0 || first.Before(s.begin) {
			s.begin = first
		}
		if last.After(s.end) {
			s.end = last
		}
		s.files = append(s.files, f)
	}
	slices.SortStableFunc(s.files, func(a, b *read.File) int {
		first, _ := a.Span()
		other, _ := b.Span()
		return first.Compare(other)
	})
	return s
}

// Begin is when the recording begins.
func (s *Source) Begin() time.Time { return s.begin }

// End is when its last message was.
func (s *Source) End() time.Time { return s.end }

// is returns the choice of a stream's channels. A stream has several if its media type has changed.
func (n name) is(c *read.Channel) bool {
	device, stream := frames.Name(c)
	return c.Waldo.Direction != recording.State && device == n.device && stream == n.stream
}

// cursor gives the frames of a stream, file after file.
type cursor struct {
	source   *Source
	name     name
	from     time.Time
	next     int // of the files
	messages *read.Messages
	readers  map[*read.Channel]*frames.Reader
	pushed   []frames.Frame // given again, the last one first
}

func (s *Source) frames(n name, from time.Time) *cursor {
	return &cursor{source: s, name: n, from: from, readers: map[*read.Channel]*frames.Reader{}}
}

func (c *cursor) push(f frames.Frame) { c.pushed = append(c.pushed, f) }

// Next returns the next frame, and io.EOF after the last one. Messages that are no frames are passed over.
func (c *cursor) Next(ctx context.Context) (frames.Frame, error) {
	if n := len(c.pushed); n > 0 {
		f := c.pushed[n-1]
		c.pushed = c.pushed[:n-1]
		return f, nil
	}
	for {
		if err := ctx.Err(); err != nil {
			return frames.Frame{}, err
		}
		m, err := c.message()
		if err != nil {
			return frames.Frame{}, err
		}
		r := c.readers[m.Channel]
		if r == nil {
			if r, err = frames.Of(m.Channel); err != nil {
				return frames.Frame{}, fmt.Errorf("%s/%s: %w", c.name.device, c.name.stream, err)
			}
			c.readers[m.Channel] = r
		}
		if f, err := r.Frame(m); err == nil {
			return f, nil
		}
	}
}

func (c *cursor) message() (read.Message, error) {
	for {
		if c.messages == nil {
			if c.next >= len(c.source.files) {
				return read.Message{}, io.EOF
			}
			f := c.source.files[c.next]
			c.next++
			if _, last := f.Span(); last.Before(c.from) {
				continue
			}
			c.messages = f.Messages(read.Query{From: c.from, Channels: c.name.is, Sparse: true})
		}
		m, err := c.messages.Next()
		if !errors.Is(err, io.EOF) {
			return m, err
		}
		c.messages = nil
	}
}

// begins returns the first frame of a stream with which decoding can begin, at or after a time. It is remembered for
// the beginning of the recording.
func (s *Source) begins(ctx context.Context, n name, from time.Time) (frames.Frame, error) {
	if !from.IsZero() {
		return s.keyFrom(ctx, n, from)
	}
	s.mu.Lock()
	f, known := s.first[n]
	s.mu.Unlock()
	if known {
		return f, nil
	}
	f, err := s.keyFrom(ctx, n, s.begin)
	if err != nil {
		return f, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first[n] = f
	return f, nil
}

func (s *Source) keyFrom(ctx context.Context, n name, from time.Time) (frames.Frame, error) {
	c := s.frames(n, from)
	for {
		f, err := c.Next(ctx)
		if err != nil || f.Key {
			return f, err
		}
	}
}
