package play

import (
	"errors"
	"io"
	"time"

	"github.com/waldo-robot/waldo/recording/read"
)

// Message is a message of a recording.
type Message struct {
	Channel   *Channel
	Offset    time.Duration // its log time, after the beginning of the recording
	Published time.Time
	Sequence  uint32
	Data      []byte // as it was on the bus; as it is in the file for a channel of another program
	// Due is when its turn is, by the clock of package boottime; 0 for what comes ahead.
	Due time.Duration
	// Ahead is set for what comes before its time, so that the place after a jump can be shown.
	Ahead bool
}

// Messages gives messages of a recording by log time. It is for one reader.
type Messages struct {
	recording *Recording
	query     read.Query
	wanted    func(*Channel) bool
	waiting   []*part // files that have not been begun, by time
	open      []*head // those that have
}

// head is the next message of a file.
type head struct {
	part     *part
	messages *read.Messages
	next     read.Message
}

// Messages returns the messages of the channels that wanted names (nil: of all) from a place on, up to and without
// another one (0: to the end).
func (r *Recording) Messages(from, to time.Duration, wanted func(*Channel) bool) *Messages {
	m := &Messages{recording: r, wanted: wanted, query: read.Query{From: r.begin.Add(from)}}
	if to > 0 {
		m.query.To = r.begin.Add(to)
	}
	for _, p := range r.files {
		if !p.last.Before(m.query.From) {
			m.waiting = append(m.waiting, p)
		}
	}
	return m
}

// Next returns the next message, and io.EOF after the last one.
func (m *Messages) Next() (Message, error) {
	for {
		first := m.first()
		if len(m.waiting) > 0 && (first == nil || !first.next.Logged.Before(m.waiting[0].first)) {
			if err := m.begin(); err != nil {
				return Message{}, err
			}
			continue
		}
		if first == nil {
			return Message{}, io.EOF
		}
		next := m.recording.message(first.part, first.next)
		if err := m.advance(first); err != nil {
			return Message{}, err
		}
		return next, nil
	}
}

// first returns what is next of all the files.
func (m *Messages) first() *head {
	var first *head
	for _, h := range m.open {
		if first == nil || h.next.Logged.Before(first.next.Logged) {
			first = h
		}
	}
	return first
}

// begin opens the next file.
func (m *Messages) begin() error {
	p := m.waiting[0]
	m.waiting = m.waiting[1:]
	q := m.query
	if m.wanted != nil {
		q.Channels = func(c *read.Channel) bool { return m.wanted(p.channels[c]) }
	}
	h := &head{part: p, messages: p.File.Messages(q)}
	m.open = append(m.open, h)
	return m.advance(h)
}

// advance goes on in a file.
func (m *Messages) advance(h *head) (err error) {
	h.next, err = h.messages.Next()
	if !errors.Is(err, io.EOF) {
		return err
	}
	for i, one := range m.open {
		if one == h {
			m.open = append(m.open[:i], m.open[i+1:]...)
			break
		}
	}
	return nil
}

// Last returns the newest message of a channel at or before a place; false if there is none.
func (r *Recording) Last(c *Channel, place time.Duration) (m Message, found bool, err error) {
	at, found := r.before(c, place, func([]byte) bool { return true })
	if !found {
		return Message{}, false, nil
	}
	messages := r.Messages(at, at+1, func(one *Channel) bool { return one == c })
	for found = false; ; found = true {
		next, err := messages.Next()
		if errors.Is(err, io.EOF) {
			return m, found, nil
		}
		if err != nil {
			return Message{}, false, err
		}
		m = next
	}
}

// before returns the place of the newest message of a channel at or before a place that is as key says; false if there
// is none.
func (r *Recording) before(c *Channel, place time.Duration, key func(data []byte) bool) (time.Duration, bool) {
	at := r.begin.Add(place)
	var found time.Time
	var has bool
	for i := len(r.files) - 1; i >= 0; i-- {
		p := r.files[i]
		if p.first.After(at) || has && p.last.Before(found) {
			continue
		}
		for _, own := range p.own[c] {
			if t, ok := p.File.KeyFrame(own, at, key); ok && (!has || t.After(found)) {
				found, has = t, true
			}
		}
	}
	return found.Sub(r.begin), has
}
