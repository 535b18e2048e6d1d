package dynamic

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Message is a message with its definitions.
type Message struct {
	proto.Message
	life *Life
}

// JSON is the message in the JSON mapping of protobuf. Its spaces vary.
func (m Message) JSON() ([]byte, error) { return m.life.JSON(m.Message) }

// FullJSON is JSON with the fields that are 0 or empty; see [descriptors.Set.FullJSON].
func (m Message) FullJSON() ([]byte, error) { return m.life.FullJSON(m.Message) }

// Unreadable is the error for messages that cannot be read.
type Unreadable struct {
	Device bus.Address
	Stream string
	// Type is the full name of the messages' type.
	Type string
	// Err says why.
	Err error
}

// Error implements error.
func (u *Unreadable) Error() string {
	return fmt.Sprintf("messages of %s, stream %s, of the type %s, cannot be read: %v", u.Device, u.Stream, u.Type, u.Err)
}

// Unwrap returns the reason.
func (u *Unreadable) Unwrap() error { return u.Err }

// Messages are what a device publishes on a stream.
type Messages struct {
	devices *Devices
	address bus.Address
	stream  string
	raw     *bus.Subscription[bus.Raw]
	closed  context.Context
	close   context.CancelFunc
	told    map[string]string // by type, why its messages cannot be read; the reader knows
}

// Subscribe subscribes to a stream of a device, whether the device is there or not. The device publishes while
// somebody holds the stream: see [bus.Conn.Hold]. The policy says what a slow reader loses.
func (d *Devices) Subscribe(a bus.Address, name string, policy stream.Policy) (*Messages, error) {
	raw, err := bus.SubscribeRaw(d.conn, a.Out(name), policy)
	if err != nil {
		return nil, err
	}
	m := &Messages{devices: d, address: a, stream: name, raw: raw, told: map[string]string{}}
	m.closed, m.close = context.WithCancel(context.Background())
	return m, nil
}

// Close leaves the stream.
func (m *Messages) Close() {
	m.close()
	m.raw.Close()
}

// Lost is how many messages were lost because the reader was too slow.
func (m *Messages) Lost() uint64 { return m.raw.Lost() }

// Next returns the next message. It passes over messages that cannot be read, after it has returned an [Unreadable]
// for the first of a type; call it again after that. Any other error is the end.
func (m *Messages) Next(ctx context.Context) (Message, error) {
	for {
		raw, err := m.raw.Next(ctx)
		if err != nil {
			return Message{}, err
		}
		if message, ok, err := m.take(ctx, raw); ok || err != nil {
			return message, err
		}
	}
}

// TryNext is Next for the messages that have arrived already: ok is false once there are no more.
func (m *Messages) TryNext(ctx context.Context) (message Message, ok bool, err error) {
	for {
		raw, waits := m.raw.TryNext()
		if !waits {
			return Message{}, false, nil
		}
		if message, ok, err := m.take(ctx, raw); ok || err != nil {
			return message, ok, err
		}
	}
}

// take reads a message. Without one and without an error there is nothing to report.
func (m *Messages) take(ctx context.Context, raw bus.Raw) (_ Message, ok bool, err error) {
	message, err := m.read(ctx, raw)
	switch {
	case err == nil:
		delete(m.told, raw.Type)
		return message, true, nil
	case ctx.Err() != nil || m.closed.Err() != nil:
		return Message{}, false, nil // the subscription says so
	}
	u := &Unreadable{m.address, m.stream, raw.Type, err}
	m.devices.logOnce(u)
	if m.tell(raw.Type, err.Error()) {
		return Message{}, false, u
	}
	return Message{}, false, nil
}

// maxTold bounds how many types are remembered.
const maxTold = 100

// tell reports whether the reader does not know this yet.
func (m *Messages) tell(typeName, why string) bool {
	known, ok := m.told[typeName]
	if ok && known == why || !ok && len(m.told) >= maxTold {
		return false
	}
	m.told[typeName] = why
	return true
}

// read decodes a message, and counts it if that fails.
func (m *Messages) read(ctx context.Context, raw bus.Raw) (Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.closed, cancel)()
	life, err := m.devices.ofEpoch(ctx, m.address, raw.Epoch)
	if errors.Is(err, errEpoch) && stable(raw.Type) {
		err = nil
	}
	if err != nil {
		reason := "definitions"
		if errors.Is(err, errEpoch) {
			reason = "epoch"
		}
		m.devices.unreadable.WithLabelValues(reason).Inc()
		return Message{}, err
	}
	message, err := life.Decode(raw.Type, raw.Data)
	if err != nil {
		reason := "decode"
		if errors.Is(err, descriptors.ErrNotDefined) {
			reason = "type"
		}
		m.devices.unreadable.WithLabelValues(reason).Inc()
		return Message{}, err
	}
	return Message{message, life}, nil
}
