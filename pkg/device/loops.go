package device

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/waldo-robot/waldo/pkg/device/vital"
)

// Loop is a loop of a driver whose turns take a bounded time. One that does not come to an end proves that the process
// hangs: the launcher, or systemd, starts it again. A loop that waits, for hardware or for work, is not in a turn. Begin
// and End are cheap, and for one goroutine at a time.
type Loop struct {
	limit time.Duration
	began atomic.Int64 // nanoseconds since the process began, 0 between turns
}

// begun is the beginning of the monotonic clock of [Loop].
var begun = time.Now()

// Begin begins a turn.
func (l *Loop) Begin() { l.began.Store(max(1, int64(time.Since(begun)))) }

// End ends it.
func (l *Loop) End() { l.began.Store(0) }

// hangs tells whether a turn takes longer than it may.
func (l *Loop) hangs() bool {
	began := l.began.Load()
	return began != 0 && time.Since(begun)-time.Duration(began) > l.limit
}

// Loop makes a loop known, one turn of which takes limit at most on the busiest machine: seconds, not milliseconds. It
// is for use in [Kind.New].
func (k *Kit) Loop(limit time.Duration) *Loop {
	l := &Loop{limit: limit}
	k.loops.add(l)
	return l
}

// loops are those of a device.
type loops struct {
	mu  sync.Mutex
	all []*Loop
}

func (l *loops) add(one *Loop) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, one)
}

func (l *loops) hang() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		if one.hangs() {
			return true
		}
	}
	return false
}

// healthServer also answers for the loops, whose state nobody sets: it is looked at.
type healthServer struct {
	*health.Server
	loops *loops
}

// Check implements the gRPC health protocol.
func (h healthServer) Check(ctx context.Context,
	r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	if r.GetService() != vital.Loops {
		return h.Server.Check(ctx, r)
	}
	status := healthpb.HealthCheckResponse_SERVING
	if h.loops.hang() {
		status = healthpb.HealthCheckResponse_NOT_SERVING
	}
	return &healthpb.HealthCheckResponse{Status: status}, nil
}
