package play

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/waldo-robot/waldo/recording"
)

// Start is with what a channel begins after a jump.
type Start struct {
	// Nothing: with what comes next. Otherwise it is the last message before the place, or with Key several.
	Nothing bool
	// Key reports whether readers can begin with a message: everything from the last such message on is given.
	Key func(data []byte) bool
}

const (
	videoFrame = "waldo.media.v1.VideoFrame"
	audioFrame = "waldo.media.v1.AudioFrame"
)

// StartOf is how channels of Waldo begin: pictures with a key frame, sound with what comes next, others with the last
// message.
func StartOf(c *Channel) Start {
	switch c.Waldo.Type {
	case videoFrame:
		fields := recording.FieldsOf(c.Waldo.Files, c.Waldo.Type)
		return Start{Key: func(data []byte) bool { return fields.Read(data).Key }}
	case audioFrame:
		return Start{Nothing: true}
	}
	return Start{}
}

// ahead gives what shows a place: everything in the order of the recording.
func (r *Recording) ahead(place time.Duration, channels []*Channel, start func(*Channel) Start,
	give func(Message) error) error {
	keyed := map[*Channel]time.Duration{}
	var last []Message
	from := place
	for _, c := range channels {
		s := start(c)
		if s.Nothing {
			continue
		}
		if s.Key != nil {
			if at, found := r.before(c, place, s.Key); found {
				keyed[c] = at
				from = min(from, at)
			}
			continue
		}
		m, found, err := r.Last(c, place)
		if err != nil {
			return err
		}
		if found {
			last = append(last, m)
		}
	}
	slices.SortStableFunc(last, func(a, b Message) int { return int(a.Offset - b.Offset) })
	return r.pictures(from, place, keyed, last, give)
}

// pictures gives the messages of the channels that begin with a key, each from its own place on, and those of others in
// between.
func (r *Recording) pictures(from, place time.Duration, keyed map[*Channel]time.Duration, others []Message,
	give func(Message) error) error {
	messages := r.Messages(from, place+1, func(c *Channel) bool { _, is := keyed[c]; return is })
	for len(keyed) > 0 {
		m, err := messages.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if m.Offset < keyed[m.Channel] {
			continue
		}
		for len(others) > 0 && others[0].Offset <= m.Offset {
			if err := give(others[0]); err != nil {
				return err
			}
			others = others[1:]
		}
		if err := give(m); err != nil {
			return err
		}
	}
	for _, m := range others {
		if err := give(m); err != nil {
			return err
		}
	}
	return nil
}
