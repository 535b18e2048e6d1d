package device

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

// OutOptions describes a stream. The zero value works.
type OutOptions struct {
	// KeyFrameOnRequest tells readers of encoded video that they may ask for a key frame instead of waiting for one.
	KeyFrameOnRequest bool
	// MediaTypes are those of the frames, the usual one first, for example video/H264. Readers choose by them before a
	// frame has come.
	MediaTypes []string
	// AlternativeTo names the stream, defined before, that carries the same content in another media type.
	AlternativeTo string
	// Small tells that the stream carries that content in few bits, for readers whose path carries no more.
	Small bool
	// Absent keeps the stream out of the device's description until [Out.SetPresent], if only the hardware can tell
	// whether there is such a stream. Who knows its name may hold it all the same.
	Absent bool
	// Begin asks for a message that a reader can begin with, a key frame, which then comes soon. By it a process that
	// takes over from another one begins the stream; see `waldo upgrade`. Nil: every message will do, or one comes by
	// itself.
	Begin func(context.Context) error
	// Joined is called when somebody begins to read a stream that others read already, who may get nothing for long.
	// It must not wait. Nil: nobody wants to know.
	Joined func()
	// Together has two processes, of which one takes over from the other, both publish the stream meanwhile.
	Together bool
	// Whole has messages travel in one piece, up to what the server takes, so that they can be dealt
	// to workers ([bus.Join]).
	Whole bool
}

// Out is a stream that the device produces on the bus. It is safe for concurrent use.
type Out[M proto.Message] struct {
	*out
}

// out is what an Out has, whatever its message.
type out struct {
	kit       *Kit
	name      string
	message   protoreflect.MessageDescriptor
	original  string // see OutOptions.AlternativeTo
	small     bool   // see OutOptions.Small
	keyFrames atomic.Bool
	passed    atomic.Bool // see SetPassedThrough
	types     atomic.Pointer[[]string]
	absent    atomic.Bool                 // from the description
	begin     func(context.Context) error // see OutOptions.Begin
	together  bool                        // see OutOptions.Together
	gate      gate
	send      func(epoch int64, subject string, m proto.Message) error
	holds     *holds
	published prometheus.Counter
	lost      prometheus.Counter
}

// NewOut defines a stream of a generated message type, in [Kind.New]. Its name is unique in the device: lower-case
// letters, digits and hyphens, at most 63.
func NewOut[M proto.Message](k *Kit, name string, o OutOptions) *Out[M] {
	var zero M
	return &Out[M]{newOut(k, name, zero.ProtoReflect().Descriptor(), o)}
}

// newOut defines a stream of a type.
func newOut(k *Kit, name string, message protoreflect.MessageDescriptor, o OutOptions) *out {
	core := &out{
		kit:       k,
		name:      name,
		message:   message,
		original:  o.AlternativeTo,
		small:     o.Small,
		begin:     o.Begin,
		together:  o.Together,
		gate:      gate{begun: make(chan struct{}), taken: make(chan struct{})},
		holds:     newHolds(k.changed),
		published: newStreamCounter("waldo_device_published_total", "Messages published on a stream.", name),
		lost: newStreamCounter("waldo_device_lost_total",
			"Messages of a held stream that could not be published, for example because the bus was away.", name),
	}
	core.holds.joined = o.Joined
	holders := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "waldo_device_holders", Help: "Readers on the bus that hold a stream now.",
		ConstLabels: prometheus.Labels{"stream": name}}, func() float64 { return float64(core.holds.count()) })
	for _, c := range []prometheus.Collector{core.published, core.lost, holders} {
		if err := k.Metrics.Register(c); err != nil {
			k.fail(fmt.Errorf("stream %q: %w", name, err))
		}
	}
	core.send = k.conn.PublishAs
	if o.Whole {
		core.send = k.conn.PublishWhole
	}
	core.keyFrames.Store(o.KeyFrameOnRequest)
	core.types.Store(&o.MediaTypes)
	core.absent.Store(o.Absent)
	if o.AlternativeTo != "" && k.findOut(o.AlternativeTo) == nil {
		k.fail(fmt.Errorf("stream %q is an alternative to %q, which is not defined: define that stream first", name,
			o.AlternativeTo))
	}
	if k.heir != nil {
		core.gate.heir, core.gate.shut = k.heir, !o.Together
	}
	k.addOut(core)
	return core
}

func newStreamCounter(name, help, stream string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help,
		ConstLabels: prometheus.Labels{"stream": stream}})
}

// Publish sends m to the readers on the bus if there are any. It keeps nothing for later: while the bus is away m is
// lost, and counted. It does not wait for readers; only a bus that is there and does not read, which is then given up,
// delays it, for 2 s at most.
func (o *Out[M]) Publish(m M) {
	if !o.Held() || !o.enter(begins(m)) {
		return
	}
	defer o.leave()
	if err := o.send(o.kit.epoch, o.kit.address.Out(o.name), m); err != nil {
		o.lost.Inc()
		return
	}
	o.published.Inc()
}

// Held reports whether somebody on the bus reads the stream.
func (o *out) Held() bool { return o.holds.demand.Wanted() }

// WhileHeld runs work whenever somebody on the bus reads the stream, and cancels its context when nobody does any more.
// It waits for work to return before it runs it again. It returns when ctx ends, with its error, or when work ends by
// itself, with its error.
func (o *out) WhileHeld(ctx context.Context, work func(context.Context) error) error {
	return o.holds.demand.While(ctx, work)
}

// SetKeyFrameOnRequest changes what [OutOptions] said, once the hardware is known.
func (o *out) SetKeyFrameOnRequest(can bool) {
	if o.keyFrames.Swap(can) != can {
		o.kit.changed()
	}
}

// SetPassedThrough tells readers whether frames are passed on as the hardware has compressed them, so that a new reader
// begins with everything since the last key frame.
func (o *out) SetPassedThrough(passed bool) {
	if o.passed.Swap(passed) != passed {
		o.kit.changed()
	}
}

// SetMediaTypes changes what [OutOptions] said, once the hardware is known. The slice must not be changed afterwards.
func (o *out) SetMediaTypes(types ...string) {
	if old := o.types.Swap(&types); !slices.Equal(*old, types) {
		o.kit.changed()
	}
}

// SetPresent changes what [OutOptions] said, once the hardware is known.
func (o *out) SetPresent(present bool) {
	if o.absent.Swap(!present) == present {
		o.kit.changed()
	}
}

func (o *out) info() *devicev1.StreamInfo {
	return &devicev1.StreamInfo{
		Name:              o.name,
		Direction:         devicev1.StreamDirection_STREAM_DIRECTION_OUT,
		MessageType:       string(o.message.FullName()),
		HolderCount:       int32(o.holds.count()),
		KeyFrameOnRequest: o.keyFrames.Load(),
		PassedThrough:     o.passed.Load(),
		MediaTypes:        *o.types.Load(),
		AlternativeTo:     o.original,
		Small:             o.small,
	}
}
