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

// far reports whether a camera that has one limit should be told another at once.
func far(rate, told int64) bool {
	if (rate == 0) != (told == 0) {
		return true
	}
	return max(rate-told, told-rate) > int64(enough*float64(told))
}

// limiter tells a camera the limits of one stream. Calls are made one at a time, and the newest order counts. A pause
// comes before everything else. Limits go on meanwhile, so that the first picture after it is made for the path as it
// is then.
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
	told            order
	rateDue, pausal time.Time // when the camera is told again
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
	for ctx.Err() == nil {
		l.mu.Lock()
		o, alone := l.order, l.fixed
		l.mu.Unlock()
		if o.paused && !alone && (!l.told.paused || !time.Now().Before(l.pausal)) {
			l.pause(ctx, pauseTTL)
		}
		if !time.Now().Before(l.rateDue) || !alone && far(o.rate, l.told.rate) {
			l.limit(ctx, o.rate)
		}
		if !o.paused && l.told.paused {
			l.pause(ctx, 0)
		}
		l.wait(ctx)
	}
}

// wait returns when there may be something to tell.
func (l *limiter) wait(ctx context.Context) {
	due := l.rateDue
	if l.told.paused && l.pausal.Before(due) {
		due = l.pausal
	}
	next := time.NewTimer(time.Until(due))
	defer next.Stop()
	select {
	case <-ctx.Done():
	case <-l.wake:
	case <-next.C:
	}
}

// pause pauses the stream for some time, or ends the pause.
func (l *limiter) pause(ctx context.Context, ttl time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limitTimeout)
	defer cancel()
	l.told.paused = ttl > 0
	if err := l.cameras.Pause(ctx, l.stream, ttl); err != nil {
		l.log.Debug("the camera does not pause", "error", err)
	}
	l.pausal = time.Now().Add(pauseEvery)
}

// limit tells the camera the limit.
func (l *limiter) limit(ctx context.Context, rate int64) {
	ctx, cancel := context.WithTimeout(ctx, limitTimeout)
	defer cancel()
	ttl, again := limitTTL, limitEvery
	if rate == 0 {
		ttl, again = 0, askEvery
	}
	configured, err := l.cameras.Limit(ctx, l.stream, rate, ttl)
	fixed := refuses(err)
	switch {
	case fixed:
		again, configured = aloneFor, 0
		l.log.Debug("the camera takes no limit of the bit rate", "error", err)
	case err != nil: // it is away, which is not unusual
		again = min(again, limitEvery)
		configured, _ = l.knows()
	}
	l.told.rate, l.rateDue = rate, time.Now().Add(again)
	l.mu.Lock()
	changed := l.configured != configured || l.fixed != fixed
	l.configured, l.fixed = configured, fixed
	l.mu.Unlock()
	if changed {
		l.learned()
	}
}

// refuses reports whether an error means that a camera takes no limits.
func refuses(err error) bool {
	return slices.Contains([]codes.Code{codes.FailedPrecondition, codes.Unimplemented, codes.NotFound,
		codes.InvalidArgument, codes.OutOfRange, codes.ResourceExhausted}, status.Code(err))
}

// lift ends the limit and the pause. Otherwise they lapse.
func (l *limiter) lift() {
	ctx, cancel := context.WithTimeout(context.Background(), limitTimeout)
	defer cancel()
	if l.told.paused {
		l.pause(ctx, 0)
	}
	if l.told.rate != 0 {
		_, _ = l.cameras.Limit(ctx, l.stream, 0, 0)
	}
}
