package channels

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

const (
	// streamQueue is how many messages may wait for the one who puts them into JSON, and then for each peer.
	streamQueue = 64
	// largestMessage leaves room for the rest of a frame.
	largestMessage = rtc.MaxMessage - 100
)

// serveStream sends what a device publishes.
func (b *Bridge) serveStream(c *rtc.Channel, path string) {
	device, name, _ := strings.Cut(path, "/")
	key := streamKey{device, name}
	if err := b.checkStream(key); err != nil {
		b.refuse(c, err)
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
		defer func() {
			messages.Close()
			b.metrics.dropped.WithLabelValues("stream").Add(float64(messages.Lost()))
		}()
		if trouble := feed.trouble.Load(); trouble != nil && c.Send(ctx, true, *trouble) != nil {
			return
		}
		for body, err := range messages.All(ctx) {
			if err != nil || c.Send(ctx, true, frame(body, messages.Lost())) != nil {
				return
			}
		}
	})
}

func (b *Bridge) checkStream(k streamKey) error {
	if err := b.directory.Check(k.device); err != nil {
		return err
	}
	if err := (bus.Address{Robot: b.robot, Device: k.device}).Validate(); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if bus.CheckTopic(k.stream) != nil { // the same characters
		return status.Errorf(codes.InvalidArgument, "label: %.64q is no name of a stream: use %s<device>/<stream>", k.stream, streamPrefix)
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

// errorFrame is a StreamFrame that says why nothing comes.
func errorFrame(err error) []byte { return frame(errorBody(err), 0) }

func errorBody(err error) []byte {
	data, failed := protojson.Marshal(calls.Error(0, err))
	if failed != nil { // it is text and a number
		data = []byte(`{}`)
	}
	return append([]byte(`"error":`), data...)
}

// messageBody is what a frame says of a message.
func messageBody(message []byte) []byte {
	name := `"value":`
	if message[0] == '{' {
		name = `"message":`
	}
	return append([]byte(name), message...)
}

type streamKey struct{ device, stream string }

// feed is one stream of a device, held for all peers that listen to it.
type feed struct {
	key      streamKey
	topic    *stream.Topic[[]byte]  // bodies of frames
	trouble  atomic.Pointer[[]byte] // the frame that says why the newest message could not be read; nil if it could
	messages *dynamic.Messages
	hold     *bus.Hold
}

// newStreams returns the streams that somebody listens to.
func newStreams(conn *bus.Conn, devices *dynamic.Devices, robot string) *stream.Shared[streamKey, *feed] {
	return stream.NewShared(func(_ context.Context, k streamKey) (*feed, error) {
		address := bus.Address{Robot: robot, Device: k.device}
		messages, err := devices.Subscribe(address, k.stream, stream.DropOldest(streamQueue))
		if err != nil {
			return nil, status.Errorf(codes.Unavailable, "%v", err)
		}
		return &feed{key: k, topic: stream.NewTopic[[]byte](), messages: messages, hold: conn.Hold(address, k.stream, "gateway")}, nil
	})
}

// Run puts messages into JSON until ctx or the subscription ends.
func (f *feed) Run(ctx context.Context) {
	defer f.topic.Close(nil)
	for {
		m, err := f.messages.Next(ctx)
		var unreadable *dynamic.Unreadable
		if errors.As(err, &unreadable) {
			f.fail(err)
			continue
		}
		if err != nil {
			return
		}
		data, err := m.FullJSON()
		switch {
		case err != nil:
			f.fail(fmt.Errorf("a message of %s, stream %s, cannot be put into JSON: %w", f.key.device, f.key.stream, err))
			continue
		case len(data) > largestMessage:
			f.fail(fmt.Errorf("a message of %s, stream %s, has more than the %d bytes of JSON that a data channel carries",
				f.key.device, f.key.stream, largestMessage))
			continue
		}
		f.trouble.Store(nil)
		f.topic.Publish(messageBody(data))
	}
}

// Close lets go of the stream, which may take a second.
func (f *feed) Close() {
	f.messages.Close()
	f.hold.Close()
}

// fail tells all peers, and those who come later, that messages come which cannot be read.
func (f *feed) fail(err error) {
	body := errorBody(status.Error(codes.FailedPrecondition, err.Error()))
	trouble := frame(body, 0)
	if old := f.trouble.Swap(&trouble); old != nil && bytes.Equal(*old, trouble) {
		return // said already
	}
	f.topic.Publish(body)
}
