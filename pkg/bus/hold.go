package bus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	holdTTL = 3 * time.Second
	// holdRenewal is a third of the ttl: two renewals may be lost before the stream stops.
	holdRenewal = holdTTL / 3
	holdTimeout = 500 * time.Millisecond
)

// Hold is a promise to read a stream of a device, renewed until Close. It may be made before the device, or the bus, is
// there.
type Hold struct {
	cancel context.CancelFunc
	done   chan struct{}
	epoch  atomic.Int64
}

// Hold promises to read a stream of a device. Reader names the reader for people, in up to 64 printable characters. The
// promise itself gets a name that begins so and that nobody else can guess: nobody else can end it, and a late release
// does not end the next promise. It is renewed every second, and at once when the bus is back or the device has
// restarted.
func (c *Conn) Hold(a Address, streamName, reader string) *Hold {
	holder := fmt.Sprintf("%s %x", reader, access.NewID())
	ctx, cancel := context.WithCancel(c.ctx)
	h := &Hold{cancel: cancel, done: make(chan struct{})}
	k := &holdKeeper{
		hold:    h,
		conn:    c,
		address: a,
		client:  devicev1.NewDeviceServiceClient(c.Client(a)),
		request: &devicev1.HoldStreamRequest{Stream: streamName, Holder: holder, Ttl: durationpb.New(holdTTL)},
		wake:    make(chan struct{}, 1),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		close(h.done)
		return h
	}
	c.holds.Go(func() {
		defer close(h.done)
		k.run(ctx)
	})
	return h
}

// Epoch is the life of the device that took the promise last, 0 if none has yet.
func (h *Hold) Epoch() int64 { return h.epoch.Load() }

// Close releases the stream, as far as the device can be reached within a second. It may be called more than once.
func (h *Hold) Close() {
	h.cancel()
	<-h.done
}

type holdKeeper struct {
	hold    *Hold
	conn    *Conn
	address Address
	client  devicev1.DeviceServiceClient
	request *devicev1.HoldStreamRequest

	keeps   atomic.Int64                       // epoch of the device that keeps the newest promise, 0 for none
	abandon atomic.Pointer[context.CancelFunc] // ends the attempt under way
	wake    chan struct{}
	code    codes.Code // of the last attempt
}

func (k *holdKeeper) run(ctx context.Context) {
	defer k.conn.OnConnect(k.again)()
	// The first message of a restarted device means that it can be held again.
	states, err := SubscribeUnread[*devicev1.Device](k.conn, k.address.State(), stream.Latest())
	if err != nil {
		k.conn.log.Error("hold without knowing of restarts", "device", k.address.String(), "error", err)
	} else {
		var watching sync.WaitGroup
		watching.Go(func() { k.watch(ctx, states) })
		defer watching.Wait()
		defer states.Close()
	}
	timer := time.NewTimer(holdRenewal)
	defer timer.Stop()
	for ctx.Err() == nil {
		k.promise()
		timer.Reset(k.conn.nextRenewal())
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-k.wake:
		}
	}
	k.request.Ttl = durationpb.New(0) // releases
	k.promise()
}

// nextRenewal is how long it is until holds are renewed: all of a connection at the same moments, so that they cost one
// wake-up a second and not one each.
func (c *Conn) nextRenewal() time.Duration { return holdRenewal - time.Since(c.begun)%holdRenewal }

// watch ends when the subscription is closed. It decodes the states of another life only: every hold gets one a second.
func (k *holdKeeper) watch(ctx context.Context, states *Subscription[Unread[*devicev1.Device]]) {
	for state, err := range states.All(ctx) {
		if err != nil {
			return
		}
		if state.Epoch != 0 && state.Epoch == k.keeps.Load() {
			continue
		}
		if d, ok := state.Read(); ok && d.GetEpoch() != k.keeps.Load() && d.GetState() != devicev1.DeviceState_DEVICE_STATE_STOPPING {
			k.again()
		}
	}
}

// again renews the promise at once; an attempt under way may be waiting for a device that is gone.
func (k *holdKeeper) again() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
	if abandon := k.abandon.Load(); abandon != nil {
		(*abandon)()
	}
}

// promise is best effort: whatever goes wrong, the next tick, connect or state message tries again. Close does not
// interrupt it, so that the device cannot take a promise after its release.
func (k *holdKeeper) promise() {
	ctx, cancel := context.WithTimeout(context.Background(), holdTimeout)
	defer cancel()
	k.abandon.Store(&cancel)
	r, err := k.client.HoldStream(ctx, k.request)
	k.keeps.Store(r.GetEpoch())
	if err == nil {
		k.hold.epoch.Store(r.GetEpoch())
	}
	if code := status.Code(err); code != k.code && code != codes.Canceled {
		k.code = code
		log := k.conn.log.With("device", k.address.String(), "stream", k.request.GetStream())
		if err == nil {
			log.Info("a stream is held")
		} else {
			log.Info("a stream cannot be held yet", "code", code.String(), "error", err)
		}
	}
}
