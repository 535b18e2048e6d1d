package tracks

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
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

const (
	// A viewer may wish for so many key frames at once, and after that for one in every wishGap: one that is never content must not turn
	// the stream into key frames for all.
	wishBurst = 5
	wishGap   = 2 * time.Second
)

// A viewer may have the group so many times more at once, and after that once in every againGap, where no key frame can be had for the asking:
// a group may be megabytes, and a network that loses them again needs a rest.
const (
	againBurst = 3
	againGap   = 10 * time.Second
)

// keyWish holds back the wishes of one viewer for key frames. The last one is not lost: it is carried out when its time has come, unless a
// key frame came before.
type keyWish struct {
	mu    sync.Mutex
	limit *rate.Limiter
	last  time.Time // when the device was asked
	open  bool      // it was held back
}

func newKeyWish() keyWish { return keyWish{limit: rate.NewLimiter(rate.Every(wishGap), wishBurst)} }

// make wishes for a key frame and reports whether the device may be asked now.
func (w *keyWish) make() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = !w.allowed(time.Now())
	return !w.open
}

// allowed reports whether the device may be asked; w.mu is held. Wishes that follow each other at once are one.
func (w *keyWish) allowed(now time.Time) bool {
	if now.Sub(w.last) < keyRequestGap || !w.limit.AllowN(now, 1) {
		return false
	}
	w.last = now
	return true
}

// due is called with each frame, and reports whether a wish that was held back is to be carried out.
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
