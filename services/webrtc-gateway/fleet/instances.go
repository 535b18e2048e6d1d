package fleet

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// askEvery is how often a robot is asked that has an instance, askTimeout how long it may take to answer, and
	// patience how many answers may be missing in a row.
	askEvery   = time.Second
	askTimeout = time.Second
	patience   = 3
	// firstTimeout is how long a robot may take to answer before it has an instance.
	firstTimeout = 3 * time.Second
	// defaultLinger is how long an instance stays when nobody is there.
	defaultLinger = 30 * time.Second
)

// Robot serves the visitors of a robot.
type Robot interface {
	http.Handler
	// Busy reports whether somebody is connected, whatever requests there are.
	Busy() bool
	// Close ends everything and returns when it has ended.
	Close()
}

// Follower is told how a robot that is served is.
type Follower interface {
	// Told is called with what the robot says of itself; false if a new instance has to serve it because of that.
	Told(*fleetv1.GetRobotResponse) bool
	// SetAway tells why the robot cannot be reached; empty if it can.
	SetAway(reason string)
}

// Config describes what is served. Robots, Ask and Open are required.
type Config struct {
	// Robots are those at the hub.
	Robots *presence.Robots
	// Connected reports whether the hub can be reached; nil: always.
	Connected func() bool
	// Ask asks a robot about itself.
	Ask func(ctx context.Context, robot string) (*fleetv1.GetRobotResponse, error)
	// Open starts to serve a robot that has said something of itself. The follower is told more of it until the robot is
	// closed.
	Open func(robot string, about *fleetv1.GetRobotResponse) (Robot, Follower, error)
	// Linger is how long an instance stays when nobody is there; 0: 30 s.
	Linger time.Duration
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// Instances are those of a fleet.
type Instances struct {
	config Config
	log    *slog.Logger
	shared *stream.Shared[string, *instance]
	gauge  prometheus.Gauge
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	owned  sync.WaitGroup
}

// New returns a fleet without instances.
func New(c Config) *Instances {
	i := &Instances{config: c, log: c.Log, gauge: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "waldo_gateway_robots_served", Help: "Robots at which somebody looks."})}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	if c.Connected == nil {
		i.config.Connected = func() bool { return true }
	}
	if c.Linger == 0 {
		i.config.Linger = defaultLinger
	}
	if c.Metrics != nil {
		c.Metrics.MustRegister(i.gauge)
	}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	i.shared = stream.NewShared(i.open)
	return i
}

// Close ends all instances.
func (i *Instances) Close() {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	i.cancel()
	i.shared.Close()
	i.owned.Wait()
}

// All calls f for every robot that has an instance.
func (i *Instances) All(f func(name string, r Robot)) {
	for name, n := range i.shared.All() {
		f(name, n.robot)
	}
}

// Serve answers a request by the instance of a robot; one is made if there is none. An error has not been answered: it
// is NotFound for a robot that was never heard of, and Unavailable for one that is away.
func (i *Instances) Serve(w http.ResponseWriter, r *http.Request, name string) error {
	known, _ := i.config.Robots.Get(name)
	if known == nil {
		return status.Errorf(codes.NotFound, "no robot %q has connected to the hub since this gateway was started", name)
	}
	share, err := i.shared.Acquire(r.Context(), name)
	if err != nil {
		return refusal(err)
	}
	defer share.Release()
	if !i.linger(name, share.Value) {
		return refusal(stream.ErrClosed)
	}
	defer i.linger(name, share.Value) // from now on, or from the end of the request
	share.Value.robot.ServeHTTP(w, r)
	return nil
}

// refusal is why there is no instance.
func refusal(err error) error {
	switch {
	case errors.Is(err, stream.ErrClosed):
		return status.Error(codes.Unavailable, "the gateway is stopping")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	return err
}

// Has reports whether a robot has an instance.
func (i *Instances) Has(name string) (has bool) {
	i.All(func(n string, _ Robot) { has = has || n == name })
	return has
}

// linger keeps an instance that is used now for a while afterwards; false if the fleet is closed.
func (i *Instances) linger(name string, n *instance) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.used = time.Now()
	if n.lingers {
		return true
	}
	share, err := i.shared.Acquire(i.ctx, name) // at once: there is a share already
	if err != nil {
		return false
	}
	if share.Value != n { // it has ended by itself just now
		share.Release()
		return true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		share.Release()
		return false
	}
	n.lingers = true
	i.owned.Go(func() {
		defer share.Release()
		n.wait(i.ctx, share.Ended(), i.config.Linger)
	})
	return true
}

// instance is all that serves one robot.
type instance struct {
	of       *Instances
	name     string
	robot    Robot
	follower Follower

	mu      sync.Mutex
	used    time.Time // last
	lingers bool      // it is kept although nobody may be there
}

// open is [stream.NewShared]'s.
func (i *Instances) open(ctx context.Context, name string) (*instance, error) {
	if away := i.config.Robots.Away(name); away != "" {
		return nil, status.Error(codes.Unavailable, away)
	}
	asking, cancel := context.WithTimeout(ctx, firstTimeout)
	defer cancel()
	about, err := i.config.Ask(asking, name)
	if err != nil {
		i.missed(name, err)
		if away := i.config.Robots.Away(name); away != "" {
			return nil, status.Error(codes.Unavailable, away)
		}
		return nil, status.Errorf(codes.Unavailable, "robot %s does not answer: %s", name, status.Convert(err).Message())
	}
	robot, follower, err := i.config.Open(name, about)
	if err != nil {
		return nil, err
	}
	i.gauge.Inc()
	i.log.Info("a robot is served", "robot", name)
	return &instance{of: i, name: name, robot: robot, follower: follower}, nil
}

// missed notes that a robot has not answered.
func (i *Instances) missed(name string, err error) {
	switch {
	case !i.config.Connected():
	case status.Code(err) == codes.Unavailable:
		i.config.Robots.Unreachable(name, "it is not connected to its hub")
	case status.Code(err) == codes.DeadlineExceeded:
		i.config.Robots.Unreachable(name, "it does not answer: its link is dead, or takes too long")
	}
}

// Run implements [stream.Resource]: it looks after the robot until a new instance has to serve it.
func (n *instance) Run(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	missing := 0
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, askTimeout)
		about, err := n.of.config.Ask(asking, n.name)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			missing = 0
			n.of.config.Robots.Reached(about.GetState())
			if !n.follower.Told(about) {
				n.of.log.Info("a robot gets a new instance: it is driven in another way", "robot", n.name)
				return
			}
		case status.Code(err) != codes.DeadlineExceeded:
			n.of.missed(n.name, err)
		default:
			if missing++; missing >= patience {
				n.of.missed(n.name, err)
			}
		}
		n.follower.SetAway(n.away())
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// away is why the robot cannot be reached.
func (n *instance) away() string {
	if !n.of.config.Connected() {
		return "the hub cannot be reached by this gateway"
	}
	return n.of.config.Robots.Away(n.name)
}

// Close implements [stream.Resource].
func (n *instance) Close() {
	n.robot.Close()
	n.of.gauge.Dec()
	n.of.log.Info("a robot is served no more", "robot", n.name)
}

// wait returns when nobody has been there for a while, or the instance, or the fleet, has ended.
func (n *instance) wait(ctx context.Context, ended <-chan struct{}, linger time.Duration) {
	look := time.NewTicker(linger / 4)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case <-look.C:
			if n.leave(linger) {
				return
			}
		}
	}
}

// leave reports whether the instance need not be kept any more. Every user of it keeps it.
func (n *instance) leave(linger time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.robot.Busy() {
		n.used = time.Now()
	}
	if time.Since(n.used) <= linger {
		return false
	}
	n.lingers = false
	return true
}
