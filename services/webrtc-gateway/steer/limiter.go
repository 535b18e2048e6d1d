package steer

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

const (
	// A limit is renewed well before it lapses, a pause twice before.
	limitTTL   = 3 * time.Second
	limitEvery = time.Second
	pauseTTL   = 400 * time.Millisecond
	pauseEvery = 200 * time.Millisecond
	// askEvery is how often a camera without a limit is asked for its bit rate.
	askEvery = 5 * time.Second
	// limitTimeout is how long a camera may take to answer.
	limitTimeout = 500 * time.Millisecond
	// aloneFor is for how long a camera is left alone that takes no limits.
	aloneFor = 30 * time.Second
	// enough is by which share a target has to change before the camera is told, if it is not due anyway.
	enough = 0.03
)

// order is what a camera is told about a stream.
type order struct {
	rate   int64 // the limit, in bit/s; 0: none
	paused bool
}

// differs reports whether a camera that has one order should be told another at once.
func (o order) differs(told order) bool {
	switch {
	case o.paused != told.paused:
		return true
	case o.paused: // the rate counts when the pause is over
		return false
	case (o.rate == 0) != (told.rate == 0):
		return true
	}
	return max(o.rate-told.rate, told.rate-o.rate) > int64(enough*float64(told.rate))
}

// limiter tells a camera the limits of one stream. Calls are made one at a time, and the newest order counts.
type limiter struct {
	cameras Cameras
	stream  tracks.Stream
	log     *slog.Logger
	learned func() // something was learned about the camera
	wake    chan struct{}
	cancel  context.CancelFunc

	mu         sync.Mutex
	order      order
	configured int64
	fixed      bool

	// Used by run only.
	told order
	due  time.Time // when the camera is told again
}

// set gives a new order.
func (l *limiter) set(o order) {
	l.mu.Lock()
	changed := l.order != o
	l.order = o
	l.mu.Unlock()
	if changed {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// knows returns the bit rate of the stream without limits, 0 if it is not known, and whether its camera takes none.
func (l *limiter) knows() (configured int64, fixed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.configured, l.fixed
}

// run carries the orders out until ctx ends; then it lifts the limit.
func (l *limiter) run(ctx context.Context) {
	defer l.lift()
	for {
		l.mu.Lock()
		o, alone := l.order, l.fixed
		l.mu.Unlock()
		if now := time.Now(); !now.Before(l.due) || !alone && o.differs(l.told) {
			l.due = time.Now().Add(l.tell(ctx, o))
		}
		next := time.NewTimer(time.Until(l.due))
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-next.C:
		}
		next.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// tell gives the camera an order, and returns when it is due again.
func (l *limiter) tell(ctx context.Context, o order) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, limitTimeout)
	defer cancel()
	rate, ttl, again := o.rate, limitTTL, limitEvery
	switch {
	case o.paused:
		rate, ttl, again = 0, pauseTTL, pauseEvery
	case o.rate == 0:
		ttl, again = 0, askEvery
	}
	configured, err := l.cameras.Limit(ctx, l.stream, rate, ttl)
	l.told = o
	fixed := refuses(err)
	switch {
	case fixed:
		again, configured = aloneFor, 0
		l.log.Debug("the camera takes no limit of the bit rate", "error", err)
	case err != nil: // it is away, which is not unusual
		again = min(again, limitEvery)
		configured, _ = l.knows()
	}
	l.mu.Lock()
	changed := l.configured != configured || l.fixed != fixed
	l.configured, l.fixed = configured, fixed
	l.mu.Unlock()
	if changed {
		l.learned()
	}
	return again
}

// refuses reports whether an error means that a camera takes no limits.
func refuses(err error) bool {
	return slices.Contains([]codes.Code{codes.FailedPrecondition, codes.Unimplemented, codes.NotFound,
		codes.InvalidArgument, codes.OutOfRange, codes.ResourceExhausted}, status.Code(err))
}

// lift ends the limit.
func (l *limiter) lift() {
	if l.told == (order{}) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limitTimeout)
	defer cancel()
	_, _ = l.cameras.Limit(ctx, l.stream, 0, 0) // otherwise it lapses
}
