package channels

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	// streamQueue is how many messages may wait to be encoded as JSON, and then for each peer.
	streamQueue = 64
	// largestMessage leaves room for the rest of a frame.
	largestMessage = rtc.MaxMessage - 100
	// gatherQueue is how many may wait while they are gathered: those of 10,000 a second.
	gatherQueue = 1024
	// gatherEvery is how often messages go out that are gathered.
	gatherEvery = 100 * time.Millisecond
)

// serveStream sends what a device publishes, message by message or, gathered, those of some time together.
func (b *Bridge) serveStream(c *rtc.Channel, of *visitors.Visitor, path string, gathered bool) {
	device, name, _ := strings.Cut(path, "/")
	key := streamKey{device, name, gathered}
	err := of.Require(roles.ReadStream, device, "to read the stream "+path)
	if err == nil {
		err = b.checkStream(key)
	}
	if err != nil {
		b.Refuse(c, err)
		return
	}
	c.Go(func(ctx context.Context) {
		defer c.Close()
		share, err := b.streams.Acquire(ctx, key)
		if err != nil {
			b.sayWhy(ctx, c, err)
			return
		}
		defer share.Release()
		feed := share.Value
		messages := feed.topic.Subscribe(stream.DropOldest(streamQueue))
		defer messages.Close()
		if trouble := feed.trouble.Load(); trouble != nil && c.Send(ctx, true, *trouble) != nil {
			return
		}
		var lost losses
		defer func() { b.metrics.dropped.WithLabelValues("stream").Add(float64(lost.count)) }()
		for batch, err := range messages.All(ctx) {
			if err != nil {
				return
			}
			if gathered {
				if batch = batch.fit(c.Spare); batch == nil {
					continue
				}
			}
			lost.see(batch)
			for text := range batch.texts(lost.count) {
				if c.Send(ctx, true, text) != nil {
					return
				}
			}
		}
	})
}

// batch is what goes out together: bodies of frames.
type batch struct {
	before uint64 // bodies that the stream had before these
	bodies [][]byte
}

// fit returns as much of a batch as there is room for: all of it, its newest body, or nil. What is left out counts as
// lost.
func (b *batch) fit(room func(bytes int) bool) *batch {
	bytes := 0
	for _, body := range b.bodies {
		bytes += len(body)
	}
	if room(bytes) {
		return b
	}
	last := len(b.bodies) - 1
	if last > 0 && room(len(b.bodies[last])) {
		return &batch{before: b.before + uint64(last), bodies: b.bodies[last:]}
	}
	return nil
}

// texts are the messages of a channel that carry the batch: lines, each as many as fit.
func (b *batch) texts(dropped uint64) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var text []byte
		for _, body := range b.bodies {
			f := frame(body, dropped)
			switch {
			case text == nil:
				text = f
			case len(text)+1+len(f) <= rtc.MaxMessage:
				text = append(append(text, '\n'), f...)
			default:
				if !yield(text) {
					return
				}
				text = f
			}
		}
		if text != nil {
			yield(text)
		}
	}
}

// losses count the bodies that a channel was not given.
type losses struct {
	begun bool
	next  uint64 // number of the body that comes next
	count uint64
}

func (l *losses) see(b *batch) {
	if l.begun {
		l.count += b.before - l.next
	}
	l.begun, l.next = true, b.before+uint64(len(b.bodies))
}

func (b *Bridge) checkStream(k streamKey) error {
	if err := b.directory.Check(k.device); err != nil {
		return err
	}
	if err := (bus.Address{Robot: b.robot, Device: k.device}).Validate(); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if bus.CheckTopic(k.stream) != nil { // the same characters
		return status.Errorf(codes.InvalidArgument, "label: %.64q is not a valid stream name: use %s<device>/<stream>",
			k.stream, streamPrefix)
	}
	return nil
}

// frame is the JSON of a StreamFrame. Its body is JSON already, without the braces.
func frame(body []byte, dropped uint64) []byte {
	f := append([]byte{'{'}, body...)
	if dropped > 0 {
		f = fmt.Appendf(f, `,"droppedCount":"%d"`, dropped)
	}
	return append(f, '}')
}

// errorFrame is a StreamFrame with the reason why no messages follow.
func errorFrame(err error) []byte { return frame(errorBody(err), 0) }

func errorBody(err error) []byte {
	data, failed := protojson.Marshal(calls.Error(0, err))
	if failed != nil { // it is text and a number
		data = []byte(`{}`)
	}
	return append([]byte(`"error":`), data...)
}

// messageBody is the body of a frame with a message.
func messageBody(message []byte) []byte {
	name := `"value":`
	if message[0] == '{' {
		name = `"message":`
	}
	return append([]byte(name), message...)
}

type streamKey struct {
	device, stream string
	gathered       bool
}

// feed is one stream of a device, held for all peers that listen to it.
type feed struct {
	key      streamKey
	topic    *stream.Topic[*batch]
	count    uint64                 // bodies published so far
	trouble  atomic.Pointer[[]byte] // the frame that says why the newest message could not be read; nil if it could
	messages *dynamic.Messages
	hold     *bus.Hold
}

// newStreams returns the streams that have listeners.
func newStreams(conn *bus.Conn, devices *dynamic.Devices, robot string) *stream.Shared[streamKey, *feed] {
	return stream.NewShared(func(_ context.Context, k streamKey) (*feed, error) {
		address := bus.Address{Robot: robot, Device: k.device}
		queue := streamQueue
		if k.gathered {
			queue = gatherQueue
		}
		messages, err := devices.Subscribe(address, k.stream, stream.DropOldest(queue))
		if err != nil {
			return nil, status.Errorf(codes.Unavailable, "%v", err)
		}
		return &feed{key: k, topic: stream.NewTopic[*batch](), messages: messages,
			hold: conn.Hold(address, k.stream, "gateway")}, nil
	})
}

// Run encodes messages as JSON until ctx or the subscription ends.
func (f *feed) Run(ctx context.Context) {
	defer f.topic.Close(nil)
	for {
		bodies, err := f.next(ctx)
		if err != nil {
			return
		}
		if len(bodies) > 0 {
			f.topic.Publish(&batch{before: f.count, bodies: bodies})
			f.count += uint64(len(bodies))
		}
		if f.key.gathered {
			select {
			case <-ctx.Done():
				return
			case <-time.After(gatherEvery):
			}
		}
	}
}

// next waits for a message and returns the body of its frame; if gathered, also those of all others that have arrived.
func (f *feed) next(ctx context.Context) (bodies [][]byte, err error) {
	m, err := f.messages.Next(ctx)
	for ok := true; ok; {
		var unreadable *dynamic.Unreadable
		if err != nil && !errors.As(err, &unreadable) {
			return bodies, err
		}
		if body := f.body(m, err); body != nil {
			bodies = append(bodies, body)
		}
		if !f.key.gathered {
			break
		}
		m, ok, err = f.messages.TryNext(ctx)
		ok = ok || err != nil
	}
	return bodies, nil
}

// body is the body of a frame with a message, or with the error of reading it; nil if that was reported already.
func (f *feed) body(m dynamic.Message, err error) []byte {
	if err != nil {
		return f.fail(err)
	}
	data, err := m.FullJSON()
	switch {
	case err != nil:
		return f.fail(fmt.Errorf("a message of %s, stream %s, cannot be encoded as JSON: %w", f.key.device, f.key.stream,
			err))
	case len(data) > largestMessage:
		return f.fail(fmt.Errorf("a message of %s, stream %s, has more than the %d bytes of JSON that fit a data channel",
			f.key.device, f.key.stream, largestMessage))
	}
	f.trouble.Store(nil)
	return messageBody(data)
}

// Close releases the stream, which may take a second.
func (f *feed) Close() {
	f.messages.Close()
	f.hold.Close()
}

// fail returns the body of a frame that reports messages that cannot be sent, also to peers that join later. It is
// nil if that was reported already.
func (f *feed) fail(err error) []byte {
	body := errorBody(status.Error(codes.FailedPrecondition, err.Error()))
	trouble := frame(body, 0)
	if old := f.trouble.Swap(&trouble); old != nil && bytes.Equal(*old, trouble) {
		return nil
	}
	return body
}
