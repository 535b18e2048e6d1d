package connect

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Policy says when to connect again. The names are those of rtsp-stream.
type Policy struct {
	Delay       time.Duration // before the second attempt
	Backoff     float64       // by which each further one multiplies it; 1 keeps it
	MaxDelay    time.Duration // that it never exceeds
	MaxAttempts int           // failures in a row before giving up; 0: never
}

// Waits and limits that depend on what happened, see the package comment.
const (
	Healthy = 5 * time.Second
	Booting = 400 * time.Millisecond
	Slow    = 30 * time.Second
	Crowded = 5 * time.Second
)

// wait returns how long to wait after failures in a row, the last for a reason.
func (p Policy) wait(failures int, reason feed.Reason) time.Duration {
	d := p.backoff(failures)
	switch {
	case reason == feed.Refused || reason == feed.NotFound || reason == feed.Untrusted:
		d = max(d, Slow)
	case reason == feed.Full:
		d = max(d, Crowded)
	case reason == feed.Unreachable:
		d = min(d, Booting)
	}
	return d
}

// backoff is Delay·Backoff^(failures-1), at most MaxDelay.
func (p Policy) backoff(failures int) time.Duration {
	d := float64(p.Delay) * math.Pow(p.Backoff, float64(max(failures, 1)-1))
	return time.Duration(min(d, float64(p.MaxDelay)))
}

// spread moves a wait by up to a tenth either way, so that many cameras behind one switch do not come in step.
func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}

// exhausted reports whether it is time to give up.
func (p Policy) exhausted(failures int, reason feed.Reason) bool {
	return reason == feed.Misspelled || p.MaxAttempts > 0 && failures >= p.MaxAttempts
}
