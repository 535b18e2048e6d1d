package tap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/recording"
)

var (
	errEpoch  = errors.New("they are of a life of the device whose definitions are not known")
	errTopics = fmt.Errorf("there are more than %d topics", maxTopics)
)

// line finds the channels of a stream's messages, for one reader.
type line struct {
	tap         *Tap
	device, key string // key is empty for states

	epoch   int64 // of the source
	source  *source
	media   string
	channel *recording.Channel // of source and media; nil: not looked up
	strange *int64             // a life that has not become known in time
}

// find returns the channel of a message and what the message says. It waits for the definitions of a new life.
func (l *line) find(ctx context.Context, raw bus.Raw) (*recording.Channel, recording.Facts, error) {
	if raw.Epoch == 0 || raw.Epoch != l.epoch || l.source == nil {
		if err := l.renew(ctx, raw.Epoch); err != nil {
			return nil, recording.Facts{}, err
		}
	}
	if raw.Type != l.source.base.Type {
		return nil, recording.Facts{}, fmt.Errorf("they are of the type %.128q, but the device says %s", raw.Type,
			l.source.base.Type)
	}
	facts := l.source.fields.Read(raw.Data)
	if l.channel == nil || string(facts.Media) != l.media {
		l.media = strings.ToValidUTF8(string(facts.Media), "")
		l.tap.mu.Lock()
		l.channel = l.source.channel(l.media)
		l.tap.mu.Unlock()
	}
	return l.channel, facts, nil
}

// renew looks up what messages of a life are; 0 is any.
func (l *line) renew(ctx context.Context, epoch int64) error {
	var late <-chan time.Time
	for {
		s, of, changed := l.tap.lookUp(l.device, l.key, epoch)
		if s != nil {
			if s != l.source {
				l.source, l.channel = s, nil
			}
			l.epoch, l.strange = of, nil
			return nil
		}
		if l.strange != nil && *l.strange == epoch {
			return errEpoch
		}
		if late == nil {
			late = time.After(patience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			l.strange = &epoch
			return errEpoch
		case <-changed:
		}
	}
}

// lookUp returns what a stream is in a life of its device, 0 for the present one, and which life that is; nil if that
// is not known. Changed is closed when it may have become known.
func (t *Tap) lookUp(device, key string, epoch int64) (s *source, of int64, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lives[device]
	switch {
	case l == nil:
	case key == "":
		return l.state, 0, t.changed
	default:
		for _, n := range []*life{l.now, l.before} {
			if n != nil && (epoch == 0 || n.epoch == epoch) {
				return n.sources[key], n.epoch, t.changed
			}
		}
	}
	return nil, 0, t.changed
}

// topics finds the channels of messages between pages and programs, for one reader.
type topics struct {
	tap     *Tap
	sources map[string]*source
}

func (t *topics) find(_ context.Context, raw bus.Raw) (*recording.Channel, recording.Facts, error) {
	name := raw.Subject[strings.LastIndexByte(raw.Subject, '.')+1:]
	s := t.sources[name]
	if s == nil {
		if err := bus.CheckTopic(name); err != nil {
			return nil, recording.Facts{}, err
		}
		if len(t.sources) >= maxTopics {
			return nil, recording.Facts{}, errTopics
		}
		s = newSource(topicChannel(name))
		t.sources[name] = s
	}
	if raw.Type != topicType {
		return nil, recording.Facts{}, fmt.Errorf("they are of the type %.128q instead of %s", raw.Type, topicType)
	}
	return s.channel(""), s.fields.Read(raw.Data), nil
}
