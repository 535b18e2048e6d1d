package relay

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	keyRequestGap      = 100 * time.Millisecond // a device is not asked more often
	keyRequestPatience = 500 * time.Millisecond // an answer is given this long before asking again
	keyRequestTimeout  = time.Second
)

// keyRequester joins the wishes of many viewers for a key frame into few requests. A wish that comes too soon after a request
// is carried out at the end of the gap.
type keyRequester struct {
	request func(context.Context) error
	log     *slog.Logger
	wake    chan struct{}

	mu   sync.Mutex
	last time.Time // when the last request was made
}

func newKeyRequester(request func(context.Context) error, log *slog.Logger) *keyRequester {
	return &keyRequester{request: request, log: log, wake: make(chan struct{}, 1)}
}

// ask wants a key frame for a viewer that said it needs one.
func (k *keyRequester) ask() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// insist is called again and again while nothing can be shown without a key frame; it leaves the device time to answer.
func (k *keyRequester) insist(now time.Time) {
	k.mu.Lock()
	recent := now.Sub(k.last) < keyRequestPatience
	k.mu.Unlock()
	if !recent {
		k.ask()
	}
}

// run makes the requests until ctx ends.
func (k *keyRequester) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		}
		k.mu.Lock()
		k.last = time.Now()
		k.mu.Unlock()
		gap := time.NewTimer(keyRequestGap)
		k.send(ctx)
		select {
		case <-ctx.Done():
			gap.Stop()
			return
		case <-gap.C:
		}
	}
}

// send makes one request. Failure is normal while the device is away: its first frame will be a key frame anyway.
func (k *keyRequester) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keyRequestTimeout)
	defer cancel()
	if err := k.request(ctx); err != nil && ctx.Err() == nil {
		k.log.Debug("key frame not requested", "error", err)
	}
}
