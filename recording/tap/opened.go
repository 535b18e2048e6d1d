package tap

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording"
)

const (
	// patience is how long messages wait for the definitions of a new life of their device.
	patience = 2 * time.Second
	// maxTopics bounds how many topics are told apart.
	maxTopics = 1000
)

// Message is a message as it was on the bus.
type Message struct {
	Channel *recording.Channel // with its media type; the same pointer while nothing about it changes
	Facts   recording.Facts    // what it says of itself
	Epoch   int64              // the life of its sender; 0 if it does not say
	Data    []byte             // not to be changed
}

// Opened is a stream that is read.
type Opened struct {
	tap        *Tap
	of         string // for people
	messages   *bus.Subscription[bus.Raw]
	hold       *bus.Hold // nil for what is only listened to
	cancel     context.CancelFunc
	reading    sync.WaitGroup
	unreadable atomic.Uint64
	logged     string // what was logged last; of the goroutine
}

// Open reads a stream: f gets its messages, one after the other, until Close.
func (t *Tap) Open(s Stream, p stream.Policy, f func(Message)) (*Opened, error) {
	c := s.Channel
	a := bus.Address{Robot: t.robot, Device: c.Device}
	l := &line{tap: t, device: c.Device, key: streamKey(c.Direction, c.Stream)}
	switch c.Direction {
	case recording.Out:
		return t.open(a.Out(c.Stream), p, l.find, f, func() *bus.Hold { return t.conn.Hold(a, c.Stream, t.reader) })
	case recording.In:
		return t.open(a.In(c.Stream), p, l.find, f, nil)
	case recording.State:
		l.key = ""
		return t.open(a.State(), p, l.find, f, nil)
	default:
		return nil, fmt.Errorf("%s cannot be opened: see OpenTopics", c.Name())
	}
}

// OpenTopics reads the messages between pages and programs, of all topics: each topic has a channel.
func (t *Tap) OpenTopics(p stream.Policy, f func(Message)) (*Opened, error) {
	topics := &topics{tap: t, sources: map[string]*source{}}
	return t.open(bus.Topic(t.robot, bus.Any), p, topics.find, f, nil)
}

// find returns the channel of a message, or why there is none.
type find func(context.Context, bus.Raw) (*recording.Channel, recording.Facts, error)

func (t *Tap) open(subject string, p stream.Policy, find find, f func(Message),
	hold func() *bus.Hold) (*Opened, error) {
	messages, err := bus.SubscribeRaw(t.conn, subject, p)
	if err != nil {
		return nil, err
	}
	o := &Opened{tap: t, of: subject, messages: messages}
	var ctx context.Context
	ctx, o.cancel = context.WithCancel(t.ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		o.cancel()
		messages.Close()
		return nil, ErrClosed
	}
	t.opened[o] = struct{}{}
	if hold != nil {
		o.hold = hold()
	}
	o.reading.Go(func() { o.read(ctx, find, f) })
	return o, nil
}

// read hands messages over until the stream is closed.
func (o *Opened) read(ctx context.Context, find find, f func(Message)) {
	for raw, err := range o.messages.All(ctx) {
		if err != nil {
			return
		}
		c, facts, err := find(ctx, raw)
		switch {
		case err == nil:
			f(Message{Channel: c, Facts: facts, Epoch: raw.Epoch, Data: raw.Data})
		case ctx.Err() == nil:
			o.refuse(err)
		}
	}
}

// refuse counts a message that cannot be handed over.
func (o *Opened) refuse(err error) {
	o.unreadable.Add(1)
	if text := err.Error(); text != o.logged {
		o.logged = text
		o.tap.log.Warn("messages are left out", "of", o.of, "error", err)
	}
}

// Lost is how many messages were lost because the function was too slow.
func (o *Opened) Lost() uint64 { return o.messages.Lost() }

// Unreadable is how many messages were left out because they are not what the device says.
func (o *Opened) Unreadable() uint64 { return o.unreadable.Load() }

// Close leaves the stream, and returns when f has returned for the last time; releasing it can take a second if its
// device does not answer. It may be called more than once.
func (o *Opened) Close() {
	o.tap.mu.Lock()
	delete(o.tap.opened, o)
	o.tap.mu.Unlock()
	o.cancel()
	o.messages.Close()
	o.reading.Wait()
	if o.hold != nil {
		o.hold.Close()
	}
}
