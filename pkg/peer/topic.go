package peer

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// topicWaiting is how many bytes may wait to be sent on a topic before it accepts no more.
const topicWaiting = 256 << 10

// errJoining is errNotOpen where there is a connection.
var errJoining = status.Error(codes.Unavailable, "the topic is being joined: nothing was sent; send again in a moment")

// topicName is what the bus allows.
var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Topic is a place for messages between everyone who joins it: pages, programs on the robot's bus, other peers.
// Delivery is at most once.
type Topic struct {
	robot   *Robot
	name    string
	channel *sharedChannel
	leave   sync.Once
	dropped atomic.Uint64
}

// Topic joins a topic: 1 to 64 letters, digits, hyphens and underscores. It must be closed. A name that is none is an
// error of its methods.
func (r *Robot) Topic(name string) *Topic {
	t := &Topic{robot: r, name: name}
	if topicName.MatchString(name) {
		t.channel = r.channels.acquire(name, func() *sharedChannel { return newConversation(name) })
	}
	return t
}

// Send sends a message: its body, text or data, of at most 64 KiB; the gateway fills in the rest. It never blocks.
// Without a connection, until the topic has been joined, or while too much waits to be sent, nothing is sent, now or
// later; the error is a gRPC status. Joining takes a moment after [Robot.Topic], and again after each loss of the
// connection: a program that has one thing to say tries again while the code is Unavailable.
func (t *Topic) Send(m *messagev1.Message) error {
	if t.channel == nil {
		return errBadTopic(t.name)
	}
	text, isText := m.GetBody().(*messagev1.Message_Text)
	data := m.GetData()
	if isText {
		data = []byte(text.Text)
	}
	err := t.channel.send(nil, isText, data, topicWaiting)
	if errors.Is(err, errNotOpen) && t.robot.State().State == Live {
		return errJoining
	}
	return err
}

// Messages yields what others send: the topic and the body, as the rest does not travel. At most n wait for a slow
// reader, who then loses the oldest. The last error is that of ctx, or [ErrClosed].
func (t *Topic) Messages(ctx context.Context, n int) iter.Seq2[*messagev1.Message, error] {
	return func(yield func(*messagev1.Message, error) bool) {
		if t.channel == nil {
			yield(nil, errBadTopic(t.name))
			return
		}
		sub := t.channel.conversation.Subscribe(stream.DropOldest(n))
		defer sub.Close()
		lost := uint64(0)
		for m, err := range sub.All(ctx) {
			t.dropped.Add(sub.Lost() - lost)
			lost = sub.Lost()
			if !yield(m, err) || err != nil {
				return
			}
		}
		yield(nil, ErrClosed)
	}
}

// Dropped returns how many messages were lost because the loops over Messages were too slow.
func (t *Topic) Dropped() uint64 { return t.dropped.Load() }

// Close leaves the topic.
func (t *Topic) Close() {
	if t.channel != nil {
		t.leave.Do(func() { t.robot.channels.release(t.name, t.channel) })
	}
}

func newConversation(topic string) *sharedChannel {
	messages := stream.NewTopic[*messagev1.Message]()
	return &sharedChannel{
		conversation: messages,
		channel: channel{label: topic, received: func(text bool, data []byte) {
			m := &messagev1.Message{Topic: topic, Body: &messagev1.Message_Data{Data: data}}
			if text {
				m.Body = &messagev1.Message_Text{Text: string(data)}
			}
			messages.Publish(m)
		}},
		end: func() { messages.Close(nil) },
	}
}
