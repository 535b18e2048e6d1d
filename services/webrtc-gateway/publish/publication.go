package publish

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// Publication has the slot of a device.
type Publication struct {
	owner  *Publishers
	device string
	who    *peerv1.Publisher
	wishes *bus.Subscription[*peerv1.Wish]
	states *bus.Subscription[*devicev1.Device]
	hold   *bus.Hold
	video  video
	audio  audio

	cancel context.CancelCauseFunc
	ended  sync.WaitGroup
	done   chan struct{}

	mu    sync.Mutex
	grant grant
	err   error
}

// errClosed is the end of a publication that was closed.
var errClosed = errors.New("the publication was closed")

func newPublication(p *Publishers, device string, who *peerv1.Publisher) *Publication {
	n := &Publication{owner: p, device: device, who: who, done: make(chan struct{})}
	n.video = video{publication: n, wake: make(chan struct{}, 1)}
	n.audio = audio{publication: n}
	return n
}

// begin gets the slot.
func (n *Publication) begin(ctx context.Context, take bool) error {
	g, err := n.owner.ask(ctx, n.device, n.who, take)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.grant = g
	n.mu.Unlock()
	return nil
}

// granted returns the present slot.
func (n *Publication) granted() grant {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.grant
}

// start begins to follow the device.
func (n *Publication) start() {
	ctx, cancel := context.WithCancelCause(context.Background())
	n.cancel = cancel
	n.ended.Go(func() { n.listen(ctx) })
	n.ended.Go(func() { n.watch(ctx) })
	n.ended.Go(func() { n.video.work(ctx) })
	go n.finish(ctx)
}

// finish ends everything once ctx has ended.
func (n *Publication) finish(ctx context.Context) {
	defer close(n.done)
	<-ctx.Done()
	n.ended.Wait()
	n.unsubscribe()
	err := context.Cause(ctx)
	n.mu.Lock()
	n.err = err
	n.mu.Unlock()
	if errors.Is(err, errClosed) {
		n.owner.give(n.device, n.granted())
	}
	n.owner.log.Info("a publication has ended", "device", n.device, "name", n.who.GetName(), "reason", err)
	n.owner.remove(n)
}

// Video is where the video of the publisher goes.
func (n *Publication) Video() rtc.Sink { return &n.video }

// Audio is where the sound of the publisher goes.
func (n *Publication) Audio() rtc.Sink { return &n.audio }

// Device is the name of the device.
func (n *Publication) Device() string { return n.device }

// Done is closed when the publication has ended, for whatever reason.
func (n *Publication) Done() <-chan struct{} { return n.done }

// Err says why the publication has ended, for people; nil before that.
func (n *Publication) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// Close gives the slot back and waits for the end of the publication.
func (n *Publication) Close() {
	n.cancel(errClosed)
	<-n.done
}

// listen does what the device wishes.
func (n *Publication) listen(ctx context.Context) {
	for {
		wish, err := n.wishes.Next(ctx)
		if err != nil {
			return
		}
		if wish.GetPublicationId() != n.granted().id {
			continue
		}
		switch body := wish.GetWish().(type) {
		case *peerv1.Wish_KeyFrame:
			n.video.askKey()
		case *peerv1.Wish_Ended:
			n.cancel(status.Error(codes.Aborted, body.Ended))
		}
	}
}

// watch gets the slot again when the device has restarted.
func (n *Publication) watch(ctx context.Context) {
	for {
		state, err := n.states.Next(ctx)
		if err != nil {
			return
		}
		if state.GetEpoch() == n.granted().life || state.GetState() == devicev1.DeviceState_DEVICE_STATE_STOPPING {
			continue
		}
		if err := n.again(ctx); err != nil {
			n.cancel(err)
			return
		}
		n.video.askKey()
	}
}

// again gets the slot of a device that has restarted.
func (n *Publication) again(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, absence)
	defer cancel()
	for {
		calling, done := context.WithTimeout(ctx, callTimeout)
		err := n.begin(calling, false)
		done()
		switch status.Code(err) {
		case codes.OK:
			return nil
		case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted:
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return status.Errorf(codes.Unavailable, "%s has restarted and does not answer: %v", n.device, err)
		case <-time.After(retry):
		}
	}
}
