package tracks

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	keyRequestGap      = 100 * time.Millisecond // minimum time between two requests to a device
	keyRequestPatience = 500 * time.Millisecond // time for an answer before asking again
	keyRequestTimeout  = time.Second
)

// keyRequester coalesces the key frame requests of many viewers. A request that comes too soon after the last one is
// sent at the end of the gap.
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

// ask requests a key frame for a viewer that reported needing one.
func (k *keyRequester) ask() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// insist is called repeatedly while nothing can be shown without a key frame. It gives the device time to answer.
func (k *keyRequester) insist(now time.Time) {
	if k.quiet(now) {
		k.ask()
	}
}

// quiet reports whether the device has had time to answer the last request.
func (k *keyRequester) quiet(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return now.Sub(k.last) >= keyRequestPatience
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

// send makes one request. Failures are normal while the device is away: its first frame will be a key frame anyway.
func (k *keyRequester) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keyRequestTimeout)
	defer cancel()
	if err := k.request(ctx); err != nil && ctx.Err() == nil {
		k.log.Debug("key frame not requested", "error", err)
	}
}

const (
	// A viewer may request a burst of wishBurst key frames, and after that one per wishGap: a viewer that never stops
	// asking must not turn the stream into key frames for all.
	wishBurst = 5
	wishGap   = 2 * time.Second
)

// Where the device makes no key frames on request, a viewer may get the group againBurst more times at once, and after
// that once per againGap: a group may be megabytes, and a network that keeps losing them needs a rest.
const (
	againBurst = 3
	againGap   = 10 * time.Second
)

// keyWish limits the key frame requests of one viewer. The last one is not lost: it is sent when its time has come,
// unless a key frame arrives first.
type keyWish struct {
	mu    sync.Mutex
	limit *rate.Limiter
	last  time.Time // when the device was asked
	open  bool      // a request was held back
}

func newKeyWish() keyWish { return keyWish{limit: rate.NewLimiter(rate.Every(wishGap), wishBurst)} }

// make registers a request and reports whether the device may be asked now.
func (w *keyWish) make() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = !w.allowed(time.Now())
	return !w.open
}

// allowed reports whether the device may be asked. Requests in quick succession count as one. The caller holds w.mu.
func (w *keyWish) allowed(now time.Time) bool {
	if now.Sub(w.last) < keyRequestGap || !w.limit.AllowN(now, 1) {
		return false
	}
	w.last = now
	return true
}

// due is called for each frame and reports whether a held-back request is to be sent now.
func (w *keyWish) due(key bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if key {
		w.open = false
	}
	due := w.open && w.allowed(time.Now())
	w.open = w.open && !due
	return due
}
