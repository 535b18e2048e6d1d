package peer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// ErrClosed ends readers when their robot is closed.
var ErrClosed = errors.New("the robot was closed")

// item is what readers wait for: a value, or why there is none.
type item[T any] struct {
	value T
	err   error
}

// Stream is what a device publishes on one of its streams, from now on: state, measurements, key presses. It may be
// asked for before the device exists. Frames of cameras and microphones come by [Robot.Camera] and [Robot.Microphone]
// instead.
type Stream struct {
	robot        *Robot
	device, name string
	dropped      atomic.Uint64
}

// Stream returns a stream of a device.
func (r *Robot) Stream(device, name string) *Stream {
	return &Stream{robot: r, device: device, name: name}
}

// Dropped returns how many messages were lost because this program, or the path to it, was too slow.
func (s *Stream) Dropped() uint64 { return s.dropped.Load() }

// JSON yields the messages in the JSON mapping of protobuf. At most n wait for a slow reader, who then loses the
// oldest.
//
// While the robot is away, nothing comes. An error says why nothing comes, for example that there is no such device;
// it is a gRPC status. A loop that goes on gets messages when there are some. The last error is that of ctx, or
// [ErrClosed].
func (s *Stream) JSON(ctx context.Context, n int) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		label := "waldo.stream/" + s.device + "/" + s.name
		c := s.robot.channels.acquire(label, func() *sharedChannel { return newReading(s.robot, label) })
		defer s.robot.channels.release(label, c)
		sub := c.reading.topic.Subscribe(stream.DropOldest(n))
		defer sub.Close()
		before, lost := c.reading.dropped.Load(), uint64(0)
		for i, err := range sub.All(ctx) {
			now := sub.Lost()
			s.dropped.Add(now - lost + c.reading.dropped.Load() - before)
			lost, before = now, c.reading.dropped.Load()
			if !yield(i.value, cmp.Or(err, i.err)) || err != nil {
				return
			}
		}
		yield(nil, ErrClosed)
	}
}

// Read yields the messages of a stream as those of a type, as [Stream.JSON] does. One that is of another type is an
// error; the loop may go on.
//
//	for m, err := range peer.Read[serialv1.SerialMessage](ctx, robot.Stream("motors", "rx"), 16) {
func Read[M any, P interface {
	*M
	proto.Message
}](ctx context.Context, s *Stream, n int) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		for data, err := range s.JSON(ctx, n) {
			m := P(new(M))
			if err == nil {
				if err = lenient.Unmarshal(data, m); err != nil {
					err = fmt.Errorf("%s/%s: the message is no %s: %w", s.device, s.name,
						m.ProtoReflect().Descriptor().FullName(), err)
				}
			}
			if err != nil {
				m = nil
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// reading is what readers of a stream share.
type reading struct {
	robot   *Robot
	topic   *stream.Topic[item[json.RawMessage]]
	dropped atomic.Uint64 // by the gateway, in all

	mu      sync.Mutex
	counted uint64 // of the present channel
}

func newReading(robot *Robot, label string) *sharedChannel {
	r := &reading{robot: robot, topic: stream.NewTopic[item[json.RawMessage]]()}
	return &sharedChannel{
		reading: r,
		channel: channel{label: label, init: webrtc.DataChannelInit{}, received: r.received},
		end:     func() { r.topic.Close(nil) },
	}
}

// received takes a waldo.signaling.v1.StreamFrame.
func (r *reading) received(_ bool, data []byte) {
	var frame struct {
		Message, Value json.RawMessage
		Error          *refusedCall
		DroppedCount   string
	}
	if err := json.Unmarshal(data, &frame); err != nil {
		return // of a newer gateway, or garbage
	}
	if n, err := strconv.ParseUint(frame.DroppedCount, 10, 64); err == nil {
		r.count(n)
	}
	switch {
	case frame.Error != nil:
		if err := frame.Error.status(); !r.robot.early(err) {
			r.topic.Publish(item[json.RawMessage]{err: err})
		}
	case frame.Message != nil:
		r.topic.Publish(item[json.RawMessage]{value: bytes.Clone(frame.Message)})
	case frame.Value != nil:
		r.topic.Publish(item[json.RawMessage]{value: bytes.Clone(frame.Value)})
	}
}

// count counts what the gateway dropped. It begins at 0 with each channel.
func (r *reading) count(n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n < r.counted {
		r.counted = 0
	}
	r.dropped.Add(n - r.counted)
	r.counted = n
}

// errBadTopic says what topics are called.
func errBadTopic(topic string) error {
	return status.Errorf(codes.InvalidArgument,
		"topic %.80q: use 1 to 64 letters, digits, hyphens and underscores", topic)
}
