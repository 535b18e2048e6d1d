package peer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/peer/sender"
	"github.com/waldo-robot/waldo/services/peer/slot"
)

const (
	// maxMessage bounds the value of a message, in bytes.
	maxMessage = 1 << 20
	// maxDepth is how deep values may be nested. Readers with the limits of protobuf's C++ library take no more.
	maxDepth = 30
	// maxMessages is how many messages may wait for a reader.
	maxMessages = 256
	// mostMessages is how many bytes of messages a program may send in a second.
	mostMessages = 32 << 20
)

// messenger is a slot that carries messages.
type messenger struct {
	kit      *device.Kit
	slot     *slot.Slot
	out      *device.Out[*peerv1.Message]
	messages *stream.Topic[*peerv1.Message]
	readers  stream.Demand
	sequence atomic.Int64 // of the next message
	told     news         // why Run failed the last time
	once     sync.Once
	always   sync.WaitGroup // what runs as long as the process does, and calls of Publish

	mu      sync.Mutex
	sends   bool          // somebody has the slot
	last    string        // why the last publication ended
	changed chan struct{} // closed and replaced when that is different
}

func newMessenger(kit *device.Kit) *messenger {
	m := &messenger{kit: kit, messages: stream.NewTopic[*peerv1.Message](), changed: make(chan struct{})}
	m.out = device.NewOut[*peerv1.Message](kit, "messages", device.OutOptions{})
	m.slot = slot.New(slot.Config{Open: m.begin, Changed: func(who *peerv1.Publisher) { describe(kit, who) }})
	peerv1.RegisterPeerServiceServer(kit, &peers{
		slot: m.slot, readers: &m.readers, work: &m.always,
		carries: carries{begin: m.take, most: mostMessages, messages: m.messages},
	})
	register(kit.Metrics, m.slot)
	kit.OnStop(m.always.Wait)
	kit.BeforeRestart(m.slot.Obstacles)
	return m
}

// Run implements [device.Driver]: the device is there while somebody sends.
func (m *messenger) Run(ctx context.Context, ready func()) error {
	m.once.Do(func() {
		stopping := m.kit.Stopping()
		m.always.Go(func() { m.slot.Run(stopping) })
		m.always.Go(func() { _ = m.out.WhileHeld(stopping, m.readers.During) })      // ends with its context
		m.always.Go(func() { _ = m.messages.WhileRead(stopping, m.readers.During) }) // likewise
		context.AfterFunc(stopping, func() { m.messages.Close(nil) })
	})
	for there := false; ; {
		sends, why, changed := m.state()
		switch {
		case sends:
			there = true
			ready()
			m.told.is("")
		case m.told.is(why) || there:
			return sender.Away(why)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// state tells whether somebody sends, why nobody does, and when that changes.
func (m *messenger) state() (sends bool, why string, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	why = "nobody sends: call Publish from a program"
	if m.last != "" {
		why += "; the last publication ended: " + m.last
	}
	return m.sends, why, m.changed
}

func (m *messenger) set(sends bool, last string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sends, m.last = sends, last
	close(m.changed)
	m.changed = make(chan struct{})
}

// begin notes that somebody sends. It is called by the slot.
func (m *messenger) begin(who *peerv1.Publisher) slot.Sender {
	m.set(true, "")
	logBegin(m.kit, who)
	return messageSender{m}
}

// messageSender is a publication of messages, which do not go through the slot.
type messageSender struct{ *messenger }

// Video implements [slot.Sender].
func (messageSender) Video(*mediav1.VideoFrame) error { return errNoMessage }

// Audio implements [slot.Sender].
func (messageSender) Audio(*mediav1.AudioFrame) {}

// End implements [slot.Sender].
func (s messageSender) End(why string) {
	logEnd(s.kit, why)
	s.set(false, why)
}

var errNoMessage = errors.New("step: this slot carries messages: send message, or open one with `carries: video`")

// take makes what takes the messages of a program.
func (m *messenger) take(p *slot.Publication) taker { return messageTaker{m, p} }

type messageTaker struct {
	*messenger
	slot *slot.Publication
}

func (messageTaker) close() {}

func (m messageTaker) take(_ context.Context, r *peerv1.PublishRequest) error {
	step, ok := r.GetStep().(*peerv1.PublishRequest_Message)
	if !ok {
		return errNoMessage
	}
	if err := checkMessage(step.Message); err != nil {
		return err
	}
	if err := m.slot.Alive(); err != nil {
		return err
	}
	m.publish(step.Message)
	return nil
}

// publish gives a message to all readers.
func (m *messenger) publish(said *peerv1.Message) {
	message := &peerv1.Message{
		Epoch: m.kit.Epoch(), Sequence: m.sequence.Add(1) - 1, Time: said.GetTime(), Value: said.GetValue(),
	}
	if message.Time == nil {
		message.Time = timestamppb.Now()
	}
	m.out.Publish(message)
	m.messages.Publish(message)
}

// checkMessage finds what readers could not read. The error names the field and the remedy.
func checkMessage(m *peerv1.Message) error {
	if m.GetValue() == nil {
		return errors.New("message.value is missing: send a value, null_value for none")
	}
	if n := proto.Size(m.GetValue()); n > maxMessage {
		return fmt.Errorf("message.value has %d bytes, the limit is %d: send less at a time", n, maxMessage)
	}
	if t := m.GetTime(); t != nil {
		if err := t.CheckValid(); err != nil {
			return fmt.Errorf("message.time: %w: leave it out, or send the time of the message", err)
		}
	}
	return checkValue(m.GetValue(), maxDepth)
}

// checkValue checks a value and what is in it, which may be nested so deep.
func checkValue(v *structpb.Value, depth int) error {
	if depth == 0 {
		return fmt.Errorf("message.value is nested more than %d deep: flatten it", maxDepth)
	}
	switch kind := v.GetKind().(type) {
	case nil:
		return errors.New("message.value has a part without a kind: send null_value for none")
	case *structpb.Value_NumberValue:
		if math.IsNaN(kind.NumberValue) || math.IsInf(kind.NumberValue, 0) {
			return fmt.Errorf("message.value has the number %v, which JSON does not have: send null_value or a string",
				kind.NumberValue)
		}
	case *structpb.Value_StructValue:
		for _, field := range kind.StructValue.GetFields() {
			if err := checkValue(field, depth-1); err != nil {
				return err
			}
		}
	case *structpb.Value_ListValue:
		for _, item := range kind.ListValue.GetValues() {
			if err := checkValue(item, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}
