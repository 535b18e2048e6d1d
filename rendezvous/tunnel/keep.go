package tunnel

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
)

const (
	// minPause and maxPause bound the pause between two dials. A server that was there within recent is dialled again
	// within minPause each time: it restarts, or the robot's network has changed.
	minPause = time.Second
	maxPause = 30 * time.Second
	recent   = 10 * time.Minute
)

// Keep keeps a tunnel up until ctx ends. It calls serve with each session, which is closed when serve returns; serve
// should return when the session has ended.
func Keep(ctx context.Context, c Config, serve func(*Session)) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k := keeper{config: c, log: c.Log.With("server", hostOf(c.URL)), serve: serve}
	var p pauses
	for ctx.Err() == nil {
		err := k.once(ctx, &p)
		if ctx.Err() != nil {
			return
		}
		pause := p.next(time.Now(), err)
		k.report(err, pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// keeper reports changes only.
type keeper struct {
	config Config
	log    *slog.Logger
	serve  func(*Session)
	last   string // what was reported of the server's absence; empty: it is there
}

// hostOf is what of an address can be shown.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "?"
	}
	return u.Host
}

// once dials, and serves until the session ends. It returns why there is no session.
func (k *keeper) once(ctx context.Context, p *pauses) error {
	s, err := Dial(ctx, k.config)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // it never fails
	defer stop()
	k.log.Info("the robot is connected to its rendezvous server", "key", k.config.Key.Fingerprint())
	k.last = ""
	k.serve(s)
	p.up(time.Now())
	err = s.Err()
	_ = s.Close() // likewise
	return err
}

// report logs why the server is away, once for each reason.
func (k *keeper) report(err error, pause time.Duration) {
	reason := "the session was ended here"
	if err != nil {
		reason = access.RedactText(err.Error())
	}
	if reason == k.last {
		k.log.Debug("the rendezvous server is not reachable", "error", reason, "pause", pause)
		return
	}
	k.last = reason
	k.log.Warn("the robot is not connected to its rendezvous server, and keeps trying", "error", reason)
}

// pauses are those between dials.
type pauses struct {
	lastUp time.Time // when the server was there last; zero: never
	pause  time.Duration
}

// up notes that the server was there.
func (p *pauses) up(now time.Time) { p.lastUp, p.pause = now, 0 }

// next returns how long to wait after a dial, or a session, that ended with err. All robots of a server lose it at the
// same time, so the pauses are random.
func (p *pauses) next(now time.Time, err error) time.Duration {
	refused := new(RefusedError)
	switch {
	case errors.As(err, &refused):
		return refused.Wait + jitter(minPause)
	case errors.Is(err, errMoved):
		return 0
	case errors.Is(err, ErrReplaced):
		return jitter(maxPause)
	case !p.lastUp.IsZero() && now.Sub(p.lastUp) < recent:
		return jitter(minPause)
	}
	p.pause = min(max(2*p.pause, minPause), maxPause)
	return jitter(p.pause)
}

// jitter returns a pause between the half of the given one and the whole.
func jitter(pause time.Duration) time.Duration { return pause/2 + rand.N(pause/2) }
