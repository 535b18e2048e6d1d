package bus

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	holdTTL = 3 * time.Second
	// holdRenewal is a third of the ttl: two renewals may be lost before the stream stops.
	holdRenewal = holdTTL / 3
	holdTimeout = 500 * time.Millisecond
)

// Hold is a promise to read a stream of a device, renewed until Close. It may be made before the device, or the bus, is there.
type Hold struct {
	cancel context.CancelFunc
	done   chan struct{}
	epoch  atomic.Int64
}

// Hold promises that holder, a text of 1 to 128 bytes that nobody else uses, reads a stream of a device. The promise is renewed
// every second, and at once when the bus is back or the device has restarted.
func (c *Conn) Hold(a Address, streamName, holder string) *Hold {
	ctx, cancel := context.WithCancel(c.ctx)
	h := &Hold{cancel: cancel, done: make(chan struct{})}
	keeper := &holdKeeper{
		hold:   h,
		client: devicev1.NewDeviceServiceClient(c.Client(a)),
		stream: streamName,
		holder: holder,
		wake:   make(chan struct{}, 1),
	}
	c.owned.Go(func() {
		defer close(h.done)
		keeper.run(ctx, c, a)
	})
	return h
}

// Epoch is the life of the device that took the promise last, 0 if none has yet.
func (h *Hold) Epoch() int64 { return h.epoch.Load() }

// Close releases the stream, as far as the device can be reached.
func (h *Hold) Close() {
	h.cancel()
	<-h.done
}

type holdKeeper struct {
	hold           *Hold
	client         devicev1.DeviceServiceClient
	stream, holder string
	wake           chan struct{}
}

func (k *holdKeeper) run(ctx context.Context, c *Conn, a Address) {
	stop := c.OnConnect(k.poke)
	defer stop()
	// The first message of a new life of the device says that it can be held again.
	states, err := Subscribe[*devicev1.Device](c, a.State(), stream.Latest())
	if err != nil {
		c.log.Error("hold without knowing of restarts", "device", a.String(), "error", err)
	} else {
		defer states.Close()
		c.owned.Go(func() { k.watch(ctx, states) })
	}
	tick := time.NewTicker(holdRenewal)
	defer tick.Stop()
	for {
		k.promise(ctx, holdTTL)
		select {
		case <-ctx.Done():
			k.promise(context.WithoutCancel(ctx), 0)
			return
		case <-tick.C:
		case <-k.wake:
		}
	}
}

// watch ends when the subscription is closed.
func (k *holdKeeper) watch(ctx context.Context, states *Subscription[*devicev1.Device]) {
	for d, err := range states.All(ctx) {
		if err != nil {
			return
		}
		if d.GetEpoch() != k.hold.epoch.Load() && d.GetState() != devicev1.DeviceState_DEVICE_STATE_STOPPING {
			k.poke()
		}
	}
}

func (k *holdKeeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// promise is best effort: whatever goes wrong, the next tick, connect or state message tries again.
func (k *holdKeeper) promise(ctx context.Context, ttl time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	r, err := k.client.HoldStream(ctx, &devicev1.HoldStreamRequest{Stream: k.stream, Holder: k.holder, Ttl: durationpb.New(ttl)})
	if err == nil {
		k.hold.epoch.Store(r.GetEpoch())
	}
}
