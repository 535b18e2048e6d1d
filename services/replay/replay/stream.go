package replay

import (
	"context"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording/play"
)

// output is a stream that is published byte for byte.
type output struct {
	name    string
	message protoreflect.MessageDescriptor
	epoch   protowire.Number       // of the field with the epoch; 0: there is none
	key     func(data []byte) bool // whether readers can begin with a message; nil: with any
	passing bool                   // what has passed is of no use to who comes later
	out     *device.RawOut
	readers *stream.Topic[[]byte] // over gRPC

	mu   sync.Mutex
	last []byte // the last message; nil: there is none at this place of the recording
}

// newOutput defines the stream of a channel. Defined reports whether another one is defined already.
func newOutput(kit *device.Kit, d *recorded, c *play.Channel, defined func(string) bool) (*output, error) {
	message, err := d.message(c)
	if err != nil {
		return nil, err
	}
	info := d.info(c.Waldo.Stream)
	start := play.StartOf(c)
	o := &output{
		name: c.Waldo.Stream, message: message, epoch: play.EpochField(message), passing: start.Nothing,
		readers: stream.NewTopic[[]byte](),
	}
	if media.InterCoded(c.Waldo.Media) {
		o.key = start.Key
	}
	options := device.OutOptions{MediaTypes: info.GetMediaTypes(), Small: info.GetSmall()}
	if defined(info.GetAlternativeTo()) {
		options.AlternativeTo = info.GetAlternativeTo()
	}
	o.out = device.NewRawOut(kit, o.name, message, options)
	o.out.SetPassedThrough(info.GetPassedThrough() || o.key != nil)
	return o, nil
}

// jump forgets what came before.
func (o *output) jump() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = nil
}

// take passes a message on.
func (o *output) take(data []byte) {
	o.mu.Lock()
	o.last = data
	o.mu.Unlock()
	o.readers.Publish(data)
	o.out.Publish(data, o.key == nil || o.key(data))
}

// newest returns the last message, nil if there is none.
func (o *output) newest() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

// greet gives whoever begins to hold the stream the last message, as a device does that tells its state: while the
// player pauses nothing else comes.
func (o *output) greet(ctx context.Context) error {
	if o.key != nil || o.passing {
		return nil
	}
	return o.out.WhileHeld(ctx, func(ctx context.Context) error {
		if last := o.newest(); last != nil {
			o.out.Publish(last, true)
		}
		<-ctx.Done()
		return ctx.Err()
	})
}
