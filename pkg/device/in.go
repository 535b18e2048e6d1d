package device

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// In is a stream that the device accepts from the bus.
type In[M proto.Message] struct {
	*in
	policy stream.Policy
}

// in is what an In has, whatever its message.
type in struct {
	kit      *Kit
	name     string
	message  protoreflect.MessageDescriptor
	accepted prometheus.Counter
}

// NewIn defines a stream of a generated message type, in [Kind.New]. Its name is one that no other stream of the device
// has, in the form of those of [NewOut]. The policy chooses what is lost when more arrives than [In.Receive] takes;
// losses are counted by the bus.
func NewIn[M proto.Message](k *Kit, name string, policy stream.Policy) *In[M] {
	var zero M
	core := &in{
		kit:      k,
		name:     name,
		message:  zero.ProtoReflect().Descriptor(),
		accepted: newStreamCounter("waldo_device_accepted_total", "Messages accepted on a stream.", name),
	}
	k.addIn(core)
	if err := k.Metrics.Register(core.accepted); err != nil {
		k.fail(fmt.Errorf("stream %q: %w", name, err))
	}
	return &In[M]{core, policy}
}

// Receive calls take for every message that comes, one after the other, until ctx ends; then it returns its error.
// Before and afterwards messages go by unheard, and also while a predecessor of this process hears them.
func (i *In[M]) Receive(ctx context.Context, take func(M)) error {
	select {
	case <-i.kit.active:
	case <-ctx.Done():
		return ctx.Err()
	}
	sub, err := bus.Subscribe[M](i.kit.Bus(), i.kit.address.In(i.name), i.policy)
	if err != nil {
		return err
	}
	defer sub.Close()
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		i.accepted.Inc()
		take(m)
	}
}

// addIn makes a stream known.
func (k *Kit) addIn(i *in) {
	k.checkStream(i.name)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ins = append(k.ins, i)
}

func (k *Kit) findIn(name string) *in {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, i := range k.ins {
		if i.name == name {
			return i
		}
	}
	return nil
}

func (i *in) info() *devicev1.StreamInfo {
	return &devicev1.StreamInfo{
		Name: i.name, Direction: devicev1.StreamDirection_STREAM_DIRECTION_IN, MessageType: string(i.message.FullName()),
	}
}
