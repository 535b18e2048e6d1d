package uplink

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/uplink/interest"
	"github.com/waldo-robot/waldo/services/uplink/outbox"
)

const (
	// expireEvery is how often holds are looked at that have run out.
	expireEvery = 200 * time.Millisecond
	// holdQueue, readQueue and acceptQueue are how many messages wait between the bus and here.
	holdQueue   = 1024
	readQueue   = 256
	acceptQueue = 256
)

// relay carries the streams of one device.
type relay struct {
	*session
	address bus.Address
	device  atomic.Pointer[devicev1.Device]
	changed chan struct{} // holds a token when the description has changed
	ended   chan struct{}
	stop    func()

	readers map[string]*reader // of streams that are held at the hub
	inputs  map[string]*reader // of streams that the device accepts
	streams sync.WaitGroup
}

// reader is what forwards one stream.
type reader struct{ cancel context.CancelFunc }

func newRelay(s *session, d *devicev1.Device) *relay {
	r := &relay{
		session: s, address: bus.Address{Robot: s.config.robot, Device: d.GetName()}, changed: make(chan struct{}, 1),
		ended: make(chan struct{}), readers: map[string]*reader{}, inputs: map[string]*reader{},
	}
	r.stop = sync.OnceFunc(func() { close(r.ended) })
	r.device.Store(d)
	return r
}

// describe notes the newest description of the device.
func (r *relay) describe(d *devicev1.Device) {
	if r.device.Swap(d) != d {
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}
}

// run forwards until ctx ends or the relay is stopped.
func (r *relay) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer r.streams.Wait()
	defer cancel()
	holds, err := bus.Subscribe[*devicev1.HoldStreamRequest](r.hub,
		r.address.RPC(devicev1.DeviceService_ServiceDesc.ServiceName, "HoldStream"), stream.DropOldest(holdQueue))
	if err != nil {
		r.kit.Log.Error("the streams of a device are not sent", "of", r.address.Device, "error", err)
		return
	}
	defer holds.Close()
	heard := make(chan *devicev1.HoldStreamRequest)
	r.streams.Go(func() { listen(ctx, holds, heard) })
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	var table interest.Table
	for {
		r.accept(ctx)
		select {
		case <-ctx.Done():
			return
		case <-r.ended:
			return
		case <-r.changed:
		case <-tick.C:
		case h := <-heard:
			if isOut(r.device.Load(), h.GetStream()) {
				table.Hold(h.GetStream(), h.GetHolder(), h.GetTtl().AsDuration(), time.Now())
			}
		}
		table.Expire(time.Now())
		r.forward(ctx, &table)
	}
}

// listen hands holds over until ctx ends.
func listen(ctx context.Context, holds *bus.Subscription[*devicev1.HoldStreamRequest],
	heard chan<- *devicev1.HoldStreamRequest) {
	for h, err := range holds.All(ctx) {
		if err != nil {
			return
		}
		select {
		case heard <- h:
		case <-ctx.Done():
			return
		}
	}
}

// forward has a reader for each stream that is held.
func (r *relay) forward(ctx context.Context, held *interest.Table) {
	for name, reading := range r.readers {
		if !held.Held(name) {
			reading.cancel()
			delete(r.readers, name)
		}
	}
	for _, s := range r.device.Load().GetStreams() {
		name := s.GetName()
		if s.GetDirection() != devicev1.StreamDirection_STREAM_DIRECTION_OUT || !held.Held(name) || r.readers[name] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		r.readers[name] = &reader{cancel}
		r.metrics.streams.Inc()
		r.streams.Go(func() {
			defer r.metrics.streams.Dec()
			r.read(ctx, name)
		})
	}
}

// read puts the messages of a stream into the box until ctx ends.
func (r *relay) read(ctx context.Context, name string) {
	of := outbox.Stream{Device: r.address.Device, Name: name}
	defer r.box.Forget(of)
	messages, err := bus.SubscribeRaw(r.kit.Bus(), r.address.Out(name), stream.DropOldest(readQueue))
	if err != nil {
		r.kit.Log.Error("a stream is not sent", "of", r.address.Device, "stream", name, "error", err)
		return
	}
	defer messages.Close()
	for raw, err := range messages.All(ctx) {
		if err != nil {
			return
		}
		r.box.Put(message(of, raw, time.Now()))
	}
}

// Names of message types that are told apart.
var (
	videoType   = string((*mediav1.VideoFrame)(nil).ProtoReflect().Descriptor().FullName())
	audioType   = string((*mediav1.AudioFrame)(nil).ProtoReflect().Descriptor().FullName())
	controlType = string((*controlv1.ControlState)(nil).ProtoReflect().Descriptor().FullName())
)

// message makes a message for the box. A picture that cannot be read is sent as a reading: it is for those who read it
// to say what is wrong.
func message(of outbox.Stream, raw bus.Raw, now time.Time) outbox.Message {
	m := outbox.Message{Stream: of, Class: outbox.Reading, Raw: raw, Come: now}
	switch raw.Type {
	case controlType:
		m.Class = outbox.Control
	case audioType:
		m.Class = outbox.Sound
	case videoType:
		var f mediav1.VideoFrame
		if err := proto.Unmarshal(raw.Data, &f); err != nil {
			return m
		}
		m.Class = outbox.Video
		m.Frame = outbox.Frame{Epoch: f.GetEpoch(), Sequence: f.GetSequence(), Key: f.GetKeyFrame(),
			InterCoded: media.InterCoded(f.GetFormat().GetMediaType())}
	}
	return m
}

// accept brings what people at the hub send to the streams that the device accepts.
func (r *relay) accept(ctx context.Context) {
	for _, s := range r.device.Load().GetStreams() {
		name := s.GetName()
		if s.GetDirection() != devicev1.StreamDirection_STREAM_DIRECTION_IN || r.inputs[name] != nil {
			continue
		}
		r.inputs[name] = &reader{}
		r.streams.Go(func() { r.bring(ctx, name) })
	}
}

func (r *relay) bring(ctx context.Context, name string) {
	subject := r.address.In(name)
	messages, err := bus.SubscribeRaw(r.hub, subject, stream.DropOldest(acceptQueue).Within(r.config.MaxAge))
	if err != nil {
		r.kit.Log.Error("what is sent to a device does not come", "to", r.address.Device, "stream", name, "error", err)
		return
	}
	defer messages.Close()
	for raw, err := range messages.All(ctx) {
		if err != nil {
			return
		}
		if err := r.kit.Bus().PublishRaw(subject, raw); err != nil && !errors.Is(err, bus.ErrDisconnected) {
			r.kit.Log.Warn("a message to a device is lost", "to", r.address.Device, "stream", name, "error", err)
		}
	}
}
