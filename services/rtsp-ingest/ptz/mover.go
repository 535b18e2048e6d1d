package ptz

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/onvif"
)

const (
	// between is the time between two movements that are sent: cameras choke on more.
	between = 200 * time.Millisecond
	// again is when a movement that has not changed is sent again, before the camera ends it by itself …
	again = 500 * time.Millisecond
	// … after this time, if it does what it is told.
	limit = time.Second
	// A stop is sent stops times, halted apart.
	stops  = 3
	halted = 500 * time.Millisecond
	// lastStop bounds the stop at the end.
	lastStop = time.Second
	// Waits between attempts to reach the camera: while it does not answer, and while it refuses, because cameras lock
	// accounts.
	retry, retryRefused = time.Second, 30 * time.Second
)

// Camera is what can be moved; package onvif has one.
type Camera interface {
	Profiles(ctx context.Context) ([]onvif.Profile, error)
	Move(ctx context.Context, p onvif.Profile, v onvif.Velocity, limit time.Duration) error
	Stop(ctx context.Context, p onvif.Profile) error
	Motion(ctx context.Context, p onvif.Profile) (onvif.Motion, error)
}

// Actuator is what has to know whether the camera can be moved.
type Actuator interface {
	Attach()
	Detach()
}

// Config is what a Mover needs.
type Config struct {
	Camera  Camera
	Deadman time.Duration
	Log     *slog.Logger
	Changed func(State) // is told of each change of the state; must not wait
}

// State is what is known of the camera.
type State struct {
	Ready         bool
	Reason        error // why it is not ready
	Profile       onvif.Profile
	ReportsMotion bool
	StopsWithin   time.Duration
}

// Mover is described in the package comment.
type Mover struct {
	config Config
	wake   chan struct{} // holds a token when there is something to send

	mu       sync.Mutex
	state    State
	pending  *command
	stopping bool               // a stop is wanted
	cut      bool               // a movement was cut off, and may still arrive
	abort    context.CancelFunc // ends the movement that is being sent; nil if none is

	// of the goroutine of Run
	unlimited bool // the camera refuses movements with a time
	sent      onvif.Velocity
	at        time.Time // when that was
	moving    bool      // something was sent since the last stop
}

type command struct {
	velocity onvif.Velocity
	expiry   time.Time
}

// New returns a Mover, which waits for Run.
func New(c Config) *Mover {
	return &Mover{config: c, wake: make(chan struct{}, 1), state: State{Reason: errors.New("it was not reached yet")}}
}

// State returns what is known of the camera.
func (m *Mover) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

func (m *Mover) change(f func(*State)) {
	m.mu.Lock()
	f(&m.state)
	state := m.state
	m.mu.Unlock()
	m.config.Changed(state)
}

// Command has the picture moved, unless another command replaces this one first, a stop comes, or it expires. A
// velocity of zero is a stop.
func (m *Mover) Command(v onvif.Velocity, expiry time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v == (onvif.Velocity{}) {
		m.pending = nil
		m.stopping = m.stopping || m.moving
	} else {
		m.pending = &command{v, expiry}
	}
	m.signal()
}

// Safe implements actuator.Hardware.
func (m *Mover) Safe(control.Cause) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending, m.stopping = nil, true
	if m.abort != nil {
		m.abort()
	}
	m.signal()
}

func (m *Mover) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run works the camera until ctx ends. It tells the actuator when the camera can be moved.
func (m *Mover) Run(ctx context.Context, a Actuator) {
	for {
		err := m.work(ctx, a)
		if ctx.Err() != nil {
			return
		}
		before := m.State()
		m.change(func(s *State) { s.Ready, s.Reason = false, err })
		if before.Ready || before.Reason == nil || before.Reason.Error() != err.Error() {
			m.config.Log.Warn("the camera cannot be moved", "reason", err)
		}
		wait := retry
		if feed.ReasonOf(err) == feed.Refused {
			wait = retryRefused
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// work reaches the camera, stops it, and moves it as commanded until it fails.
func (m *Mover) work(ctx context.Context, a Actuator) error {
	p, err := m.find(ctx)
	if err != nil {
		return err
	}
	m.order() // it may move since another life of this process, or since it was lost
	if err := m.halt(ctx, p); err != nil {
		return err
	}
	m.change(func(s *State) { s.Ready, s.Reason, s.Profile = true, nil, p })
	a.Attach()
	err = m.obey(ctx, p)
	a.Detach() // which calls Safe
	if ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastStop)
		defer cancel()
		if err := m.halt(last, p); err != nil {
			m.config.Log.Error("the camera may be moving: its last stop failed", "reason", err)
		}
	}
	return err
}

// order has the next stop be one of all its times.
func (m *Mover) order() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopping, m.cut, m.moving = true, true, true
}

// find returns the first profile whose picture can be moved.
func (m *Mover) find(ctx context.Context) (onvif.Profile, error) {
	profiles, err := m.config.Camera.Profiles(ctx)
	if err != nil {
		return onvif.Profile{}, err
	}
	for _, p := range profiles {
		if p.PanTilt || p.Zoom {
			return p, nil
		}
	}
	return onvif.Profile{}, feed.Failf(feed.Unsupported, "ptz",
		"ptz: the camera has no stream whose picture can be moved: "+
			"leave ptz out, or give one of its profiles a PTZ configuration")
}

// obey sends commands and stops until the camera fails or ctx ends.
func (m *Mover) obey(ctx context.Context, p onvif.Profile) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.wake:
		case <-timer.C:
		}
		if m.wantsStop() {
			if err := m.halt(ctx, p); err != nil {
				return err
			}
		}
		wait, err := m.move(ctx, p)
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

func (m *Mover) wantsStop() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stopping
}

// move sends the pending command if it is time, and returns when to look again.
func (m *Mover) move(ctx context.Context, p onvif.Profile) (time.Duration, error) {
	now := time.Now()
	m.mu.Lock()
	c := m.pending
	wait := time.Hour
	if c != nil {
		since := between
		if m.moving && c.velocity == m.sent {
			since = again
		}
		wait = m.at.Add(since).Sub(now)
	}
	if c == nil || wait > 0 || m.stopping {
		m.mu.Unlock()
		return wait, nil
	}
	m.pending = nil
	if now.After(c.expiry) {
		m.mu.Unlock()
		return time.Hour, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.abort, m.moving, m.sent, m.at = cancel, true, c.velocity, now
	m.mu.Unlock()
	err := m.send(ctx, p, c.velocity)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.abort = nil
	if err != nil && ctx.Err() != nil {
		m.cut = true
		return 0, nil
	}
	return 0, err
}

// send sends a movement, with a time unless the camera refuses that.
func (m *Mover) send(ctx context.Context, p onvif.Profile, v onvif.Velocity) error {
	if !m.unlimited {
		err := m.config.Camera.Move(ctx, p, v, limit)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := m.config.Camera.Move(ctx, p, v, 0); err != nil {
			return err
		}
		m.unlimited = true
		return nil
	}
	return m.config.Camera.Move(ctx, p, v, 0)
}
