package device

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/waldo-robot/waldo/pkg/device/vital"
)

// Loop is a loop of a driver, on one goroutine or several, whose turns take a bounded time. One that does not come to
// an end proves that the process hangs: the launcher, or systemd, starts it again. A loop that waits, for hardware or
// for work, is not in a turn. It is safe for concurrent use.
type Loop struct {
	limit time.Duration

	mu    sync.Mutex
	turns map[int64]time.Time // the beginnings of those under way
	next  int64
}

// Begin begins a turn, and returns a function that ends it. It is cheap beside a picture, not beside a sample of sound.
func (l *Loop) Begin() (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	number := l.next
	l.next++
	l.turns[number] = time.Now()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.turns, number)
	}
}

// hangs tells whether a turn takes longer than it may.
func (l *Loop) hangs() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, began := range l.turns {
		if time.Since(began) > l.limit {
			return true
		}
	}
	return false
}

// Loop makes a loop known, one turn of which takes limit at most on the busiest machine: seconds, not milliseconds. It
// is for use in [Kind.New].
func (k *Kit) Loop(limit time.Duration) *Loop {
	l := &Loop{limit: limit, turns: map[int64]time.Time{}}
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
