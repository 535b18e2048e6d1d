package steer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

const (
	// turnEvery is how often everything is considered although nothing has changed; pausedEvery, while something is
	// paused: a path whose far end reports nothing stops to be full without a change.
	turnEvery   = 250 * time.Millisecond
	pausedEvery = 20 * time.Millisecond
	// ample is how much more a path is wanted to carry than it would need to, so that what it carries is not the limit.
	ample = 1.3
	// healthyFor is how long a path counts as healthy after a report.
	healthyFor = 10 * time.Second
)

// Path is the path to a viewer. Its methods are quick, and wait for nothing.
type Path interface {
	// Available is what the path carries of media, in bit/s; 0 if that is not known, or nothing limits it.
	Available() int64
	// Queue is how long packets wait on the path.
	Queue() time.Duration
	// Full reports whether more is under way than the path should hold.
	Full() bool
	// Heard is when the far end last reported; zero if it never did.
	Heard() time.Time
	// Want tells what the path would have to carry for everything that could be sent, in bit/s, so that it is worth
	// finding out whether it does.
	Want(bps int64)
}

// Video is a video that a viewer receives. Its methods must not call the [Steering].
type Video interface {
	// Send changes what is sent: a stream with the same content, in the same codec, and whether only its key frames. The
	// stream before goes on until there is a key frame of the new one.
	Send(ctx context.Context, s tracks.Stream, keysOnly bool)
	// Rate is the bit rate of the stream that is sent, in bit/s; 0 if it is not known yet.
	Rate() int64
}

// Cameras take limits.
type Cameras interface {
	// Limit keeps a stream below a bit rate for some time; with the time 0 the limit ends. It returns the bit rate of the
	// stream without limits.
	Limit(ctx context.Context, s tracks.Stream, bps int64, ttl time.Duration) (configured int64, err error)
	// Pause stops the encoding of a stream for some time; with the time 0 the pause ends. The limit stays in force.
	Pause(ctx context.Context, s tracks.Stream, ttl time.Duration) error
	// Small returns the small version of a stream; false if there is none.
	Small(tracks.Stream) (tracks.Stream, bool)
}

// Streams can be held.
type Streams interface {
	// Hold keeps a stream ready until it is released.
	Hold(context.Context, tracks.Stream) (release func(), err error)
}

// Config adjusts a Steering; the zero value works.
type Config struct {
	// Drivers knows who drives; nil: nobody does.
	Drivers *Drivers
	// See is the name of the camera that a driver must see; empty: any.
	See string
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// Steering steers the cameras and what the viewers get of them. It must be closed.
type Steering struct {
	cameras Cameras
	streams Streams
	drivers *Drivers
	log     *slog.Logger
	metrics *metrics
	wake    chan struct{}
	cancel  context.CancelFunc
	ended   sync.WaitGroup

	mu       sync.Mutex
	viewers  []*Viewer
	policy   policy
	carriers map[tracks.Stream]*carrier
}

// carrier carries out what is decided about a stream.
type carrier struct {
	main, small *limiter // small: nil while there is none
	release     func()   // of the small version
}

// New returns a Steering of cameras, whose streams can be held.
func New(cameras Cameras, streams Streams, c Config) *Steering {
	s := &Steering{
		cameras: cameras, streams: streams, drivers: c.Drivers, log: c.Log, metrics: newMetrics(c.Metrics),
		wake: make(chan struct{}, 1), policy: policy{see: c.See, streams: make(map[tracks.Stream]*program)},
		carriers: make(map[tracks.Stream]*carrier),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.drivers.notify(s.changed)
	s.ended.Go(func() { s.run(ctx) })
	return s
}

// Close lifts all limits and returns when everything has ended.
func (s *Steering) Close() {
	s.drivers.notify(nil)
	s.cancel()
	s.ended.Wait()
}

// changed has everything considered again.
func (s *Steering) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run considers everything whenever something has changed, until ctx ends.
func (s *Steering) run(ctx context.Context) {
	tick := time.NewTicker(turnEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, c := range s.carriers {
				c.close()
			}
			return
		case <-s.wake:
		case <-tick.C:
		}
		if s.turn(ctx, time.Now()) {
			tick.Reset(pausedEvery)
		} else {
			tick.Reset(turnEvery)
		}
	}
}

// turn considers everything once, and reports whether something is paused.
func (s *Steering) turn(ctx context.Context, now time.Time) (paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*viewer, len(s.viewers))
	for i, v := range s.viewers {
		all[i] = s.read(ctx, v, now)
	}
	s.policy.decide(now, all)
	for stream, p := range s.policy.streams {
		paused = paused || p.paused
		if !s.carry(ctx, now, stream, p) {
			s.carriers[stream].close()
			delete(s.carriers, stream)
			delete(s.policy.streams, stream)
			s.metrics.forget(stream)
		}
	}
	for _, v := range s.viewers {
		s.show(ctx, v)
	}
	s.count()
	return paused
}

// read takes the readings of a viewer.
func (s *Steering) read(ctx context.Context, v *Viewer, now time.Time) *viewer {
	v.state.reading = Reading{
		Available: v.path.Available(), Queue: v.path.Queue(), Full: v.path.Full(),
		Healthy: now.Sub(v.path.Heard()) < healthyFor, Drives: s.drivers.Drives(v.peer, now),
	}
	v.state.views = v.state.views[:0]
	for _, shown := range v.shown {
		_, shown.view.small = s.cameras.Small(shown.view.main)
		v.state.views = append(v.state.views, &shown.view)
		p := s.program(ctx, shown.view.main)
		if rate := shown.video.Rate(); shown.view.fit.version == whole && rate > 0 {
			p.measured = rate
		}
	}
	return &v.state
}

// program returns the program of a stream, with what its camera has said.
func (s *Steering) program(ctx context.Context, stream tracks.Stream) *program {
	p := s.policy.streams[stream]
	if p == nil {
		p = &program{}
		s.policy.streams[stream] = p
		s.carriers[stream] = &carrier{main: s.limiter(ctx, stream)}
	}
	p.configured, p.fixed = s.carriers[stream].main.knows()
	return p
}

// limiter starts to tell a camera the limits of a stream.
func (s *Steering) limiter(ctx context.Context, stream tracks.Stream) *limiter {
	ctx, cancel := context.WithCancel(ctx)
	l := &limiter{
		cameras: s.cameras, stream: stream, learned: s.changed, wake: make(chan struct{}, 1), cancel: cancel,
		log: s.log.With("device", stream.Device, "stream", stream.Name),
	}
	s.ended.Go(func() { l.run(ctx) })
	return l
}

// carry carries out what was decided about a stream; false if nobody needs it any longer.
func (s *Steering) carry(ctx context.Context, now time.Time, stream tracks.Stream, p *program) bool {
	c, held := s.carriers[stream], p.smallHeld(now)
	if len(p.votes) == 0 && !held {
		return false
	}
	s.metrics.decided(stream, p)
	c.main.set(order{p.target, p.paused})
	if !held {
		c.dropSmall()
		return true
	}
	if c.small == nil {
		version, ok := s.cameras.Small(stream)
		if !ok {
			return true
		}
		release, err := s.streams.Hold(ctx, version)
		if err != nil {
			s.log.Warn("the small version of a stream cannot be held", "device", stream.Device, "error", err)
			return true
		}
		c.small, c.release = s.limiter(ctx, version), release
	}
	c.small.set(order{rate: p.smallTarget})
	return true
}

// dropSmall ends the small version.
func (c *carrier) dropSmall() {
	if c.small != nil {
		c.small.cancel()
		c.release()
		c.small, c.release = nil, nil
	}
}

func (c *carrier) close() {
	c.main.cancel()
	c.dropSmall()
}

// show has a viewer get what was decided.
func (s *Steering) show(ctx context.Context, v *Viewer) {
	for _, shown := range v.shown {
		stream := shown.view.main
		if shown.view.fit.version != whole {
			if version, ok := s.cameras.Small(stream); ok {
				stream = version
			}
		}
		shown.video.Send(ctx, stream, shown.view.fit.version == keys)
	}
	v.path.Want(int64(ample * float64(v.state.want)))
	v.leads.Store(v.state.leads)
}
