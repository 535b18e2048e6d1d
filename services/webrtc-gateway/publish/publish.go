package publish

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Names of the streams of a device.
const (
	Camera     = "camera"
	Microphone = "microphone"
	wishes     = "wishes"
)

const (
	// callTimeout bounds a call to a device. A client that publishes waits for it.
	callTimeout = 2 * time.Second
	// A device that has restarted may take absence to come back. It is asked every retry.
	absence = 15 * time.Second
	retry   = 100 * time.Millisecond
)

// Config says where publishers go. Bus and Robot are required.
type Config struct {
	Bus     *bus.Conn
	Robot   string
	Log     *slog.Logger          // may be nil
	Metrics prometheus.Registerer // may be nil
}

// Publishers are all publications of a gateway.
type Publishers struct {
	config  Config
	log     *slog.Logger
	metrics *metrics

	mu     sync.Mutex
	closed bool
	open   map[*Publication]struct{}
}

// New returns the publishers of a robot.
func New(c Config) *Publishers {
	p := &Publishers{config: c, log: c.Log, metrics: newMetrics(c.Metrics), open: make(map[*Publication]struct{})}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p
}

// Open gets the slot of a device for somebody. Take takes it from its present holder; otherwise the error is
// codes.AlreadyExists while somebody has. The publication must be closed.
func (p *Publishers) Open(ctx context.Context, device string, who *peerv1.Publisher, take bool) (*Publication, error) {
	if who == nil {
		who = &peerv1.Publisher{}
	}
	if err := (bus.Address{Robot: p.config.Robot, Device: device}).Validate(); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	n := newPublication(p, device, who)
	// First of all: what the device wishes right after it has granted the slot is not to be missed.
	if err := n.subscribe(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := n.begin(ctx, take); err != nil {
		n.unsubscribe()
		return nil, p.explain(device, err)
	}
	if !p.add(n) {
		n.unsubscribe()
		p.give(device, n.granted())
		return nil, status.Error(codes.Unavailable, "the gateway is stopping")
	}
	p.log.Info("somebody publishes", "device", device, "name", who.GetName(), "program", who.GetProgram(),
		"address", who.GetAddress(), "via", who.GetVia())
	return n, nil
}

// add starts a publication; false if there are no more to be.
func (p *Publishers) add(n *Publication) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.open[n] = struct{}{}
	n.start()
	p.metrics.publications.WithLabelValues(n.device).Inc()
	return true
}

// explain names the remedy where a device gives no slot.
func (p *Publishers) explain(device string, err error) error {
	switch status.Code(err) {
	case codes.Unimplemented:
		return status.Errorf(codes.FailedPrecondition,
			"%s is not of the kind peer, and takes nobody's picture: publish to a "+
				"device that is. To have one, add to devices in robot.yaml: guest: {kind: peer}", device)
	case codes.AlreadyExists:
		return err
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return status.Errorf(status.Code(err), "%s: %s: try again", device, status.Convert(err).Message())
	}
	return err
}

// Close ends all publications and waits for them.
func (p *Publishers) Close() {
	p.mu.Lock()
	p.closed = true
	var all []*Publication
	for n := range p.open {
		all = append(all, n)
	}
	p.mu.Unlock()
	for _, n := range all {
		n.Close()
	}
}

func (p *Publishers) remove(n *Publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.open[n]; ok {
		delete(p.open, n)
		p.metrics.publications.WithLabelValues(n.device).Dec()
	}
}

// publish sends a frame to a stream of the device.
func (p *Publishers) publish(device, name string, m proto.Message) {
	counted := p.metrics.published
	if p.config.Bus.Publish(bus.Address{Robot: p.config.Robot, Device: device}.In(name), m) != nil {
		counted = p.metrics.lostOnBus
	}
	counted.WithLabelValues(device, name).Inc()
}

// grant is a slot that a device has given.
type grant struct {
	life       int64 // the epoch of the device's process
	id         int64
	epoch      int64 // of the frames
	maxBitrate int64
}

// ask asks a device for its slot.
func (p *Publishers) ask(ctx context.Context, device string, who *peerv1.Publisher, take bool) (grant, error) {
	client := p.config.Bus.Client(bus.Address{Robot: p.config.Robot, Device: device})
	for {
		described, err := devicev1.NewDeviceServiceClient(client).GetDevice(ctx, &devicev1.GetDeviceRequest{})
		if err != nil {
			return grant{}, err
		}
		if !takesPictures(described.GetDevice()) { // nobody would answer: on the bus a method is an address
			return grant{}, status.Errorf(codes.Unimplemented, "%s has no stream %q to publish to", device, Camera)
		}
		life := described.GetDevice().GetEpoch()
		granted, err := peerv1.NewPeerServiceClient(client).Begin(ctx, &peerv1.BeginRequest{Publisher: who, Take: take},
			bus.OfEpoch(life))
		if errors.Is(err, bus.ErrRestarted) {
			continue
		}
		if err != nil {
			return grant{}, err
		}
		return grant{life, granted.GetPublisher().GetId(), granted.GetEpoch(), granted.GetMaxBitrateBps()}, nil
	}
}

// takesPictures says whether a device is a slot for publishers.
func takesPictures(d *devicev1.Device) bool {
	return slices.ContainsFunc(d.GetStreams(), func(s *devicev1.StreamInfo) bool {
		return s.GetName() == Camera && s.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_IN
	})
}

// give gives a slot back, as far as the device can be reached.
func (p *Publishers) give(device string, g grant) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout/2)
	defer cancel()
	client := p.config.Bus.Client(bus.Address{Robot: p.config.Robot, Device: device})
	_, err := peerv1.NewPeerServiceClient(client).End(ctx, &peerv1.EndRequest{Epoch: g.epoch}, bus.OfEpoch(g.life))
	if err != nil && status.Code(err) != codes.NotFound {
		p.log.Debug("the slot was not given back", "device", device, "error", err)
	}
}

// subscribe subscribes to what a device says: its wishes, which have to be held, and its states.
func (n *Publication) subscribe() (err error) {
	conn, address := n.owner.config.Bus, bus.Address{Robot: n.owner.config.Robot, Device: n.device}
	if n.wishes, err = bus.Subscribe[*peerv1.Wish](conn, address.Out(wishes), stream.DropOldest(16)); err != nil {
		return status.Errorf(codes.Unavailable, "%s: %v", n.device, err)
	}
	if n.states, err = bus.Subscribe[*devicev1.Device](conn, address.State(), stream.DropOldest(16)); err != nil {
		n.wishes.Close()
		return status.Errorf(codes.Unavailable, "%s: %v", n.device, err)
	}
	n.hold = conn.Hold(address, wishes, "publisher "+n.who.GetVia())
	return nil
}

func (n *Publication) unsubscribe() {
	n.hold.Close()
	n.states.Close()
	n.wishes.Close()
}
