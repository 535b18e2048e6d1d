package connect

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/keyframe"
	"github.com/waldo-robot/waldo/video/source"
)

// Config says how to connect. Dial, Policy and Pictures are required.
type Config struct {
	// Dial opens a connection. Its errors are [feed.Error].
	Dial func(ctx context.Context) (feed.Conn, error)
	// Pictures returns what makes frames of the pictures of one connection, from the track as the camera announced it.
	Pictures func(feed.Track) Pictures
	// Sound takes the sound of the connection, on the goroutine that receives; nil ignores it.
	Sound func(sound feed.Sound, captured time.Time)
	// Renewed takes what has become of a source's Info, once a second, on the goroutine that receives; nil ignores it.
	Renewed func(source.Info)
	// Pushed says that the camera connects to us: a connection that is ended may never be made again.
	Pushed bool
	// KeyFrames are ways to ask the camera for a key frame beside those of the connection.
	KeyFrames []feed.Way
	Policy    Policy
	Latency   time.Duration         // from the lens to the network at the camera, which it cannot tell
	Metrics   prometheus.Registerer // where waldo_ingest_* are registered
}

// Pictures makes frames of pictures: see package picture. It belongs to one goroutine.
type Pictures interface {
	// Add returns the frame of a picture; false if it cannot be shown, for example before the first key frame.
	Add(p feed.Picture, captured time.Time) (source.Frame, bool)
	// Info describes the pictures, once there has been a frame.
	Info() source.Info
	// Remarks says how the pictures come.
	Remarks() Remarks
}

// Remarks are about the pictures of one connection.
type Remarks struct {
	Waits       string        // for people: why no picture can be shown yet; "" if one can
	KeyInterval time.Duration // between key frames, as far as was seen; 0 if unknown
}

// maxEvents is how many events a reader may be late before it loses the oldest.
const maxEvents = 100

// FirstPicture is how long a camera may take from being connected to its first picture. Cameras on batteries wake up
// first.
const FirstPicture = 30 * time.Second

// Line is a connection over all its interruptions. See the package comment.
type Line struct {
	config Config
	events *stream.Topic[Event]
	keys   *keyframe.Asker

	mu       sync.Mutex
	status   Status
	failures int           // in a row
	due      time.Time     // of the next attempt
	slow     time.Duration // how long pictures may stay away at least: see silent
	again    chan struct{} // closed by Retry
	conn     feed.Conn     // that has pictures; nil while there is none
}

// New returns a line that has not been connected yet.
func New(c Config) *Line {
	l := &Line{
		config: c, events: stream.NewTopic[Event](), keys: keyframe.New(c.Metrics), again: make(chan struct{}),
		status: Status{State: Connecting, Since: time.Now()},
	}
	l.register(c.Metrics)
	return l
}

// Close ends the readers of events.
func (l *Line) Close() {
	l.events.Close(nil)
}

// Open connects when it is time to, and returns a source once its first picture can be shown. It fails with a
// [feed.Error] or with the context's error. The next call waits as the policy says.
func (l *Line) Open(ctx context.Context) (source.Source, error) {
	if err := l.wait(ctx); err != nil {
		return nil, err
	}
	l.begin()
	s, err := l.connect(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			err = l.failed(err)
		}
		return nil, err
	}
	l.connected(s)
	return s, nil
}

// connect opens a connection and waits for its first picture.
func (l *Line) connect(ctx context.Context) (*session, error) {
	conn, err := l.config.Dial(ctx)
	if err != nil {
		return nil, err
	}
	s := newSession(l, conn)
	if err := s.first(ctx); err != nil {
		_ = s.end() // why it ended is known
		return nil, err
	}
	return s, nil
}

// wait returns when the next attempt is due.
func (l *Line) wait(ctx context.Context) error {
	l.mu.Lock()
	due, again, gaveUp := l.due, l.again, l.status.State == GaveUp
	l.mu.Unlock()
	var timer <-chan time.Time
	if !gaveUp {
		timer = time.After(time.Until(due))
	}
	select {
	case <-timer:
	case <-again:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Retry ends a wait: the next attempt comes at once, and failures count from 0. A line that has given up starts over.
func (l *Line) Retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = 0
	close(l.again)
	l.again = make(chan struct{})
	if l.status.State == GaveUp {
		l.setLocked(func(s *Status) { s.State = Connecting })
	}
}

// begin counts an attempt.
func (l *Line) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setLocked(func(s *Status) {
		if s.Attempts++; s.Attempts > 1 {
			s.Reconnects++
		}
		s.State = Connecting
	})
}

// failed notes that an attempt failed, or that a connection broke before it was healthy, and returns what to tell
// people. The caller holds mu.
func (l *Line) failed(err error) error {
	l.failures++
	reason := feed.ReasonOf(err)
	l.due = time.Now().Add(spread(l.config.Policy.wait(l.failures, reason)))
	if !l.config.Policy.exhausted(l.failures, reason) {
		l.setLocked(func(s *Status) { s.State, s.Reason, s.Err = Waiting, reason, err })
		return err
	}
	err = fmt.Errorf("%w; gave up after %d attempts: call Reconnect to start over", err, l.failures)
	l.setLocked(func(s *Status) { s.State, s.Reason, s.Err = GaveUp, reason, err })
	l.happened(EventGaveUp)
	return err
}

// connected notes that there are pictures.
func (l *Line) connected(s *session) {
	attributes := s.Info().Attributes
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = s.conn
	l.setLocked(func(st *Status) {
		st.State, st.Err, st.Connects = Connected, nil, st.Connects+1
		st.Attributes = said(attributes)
	})
	l.happened(EventConnected)
}

// lost notes that a connection with pictures broke, or was closed (then err is nil).
func (l *Line) lost(err error, healthy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = nil
	if healthy {
		l.failures, l.due = 0, time.Time{} // the first attempt comes at once
	}
	if err == nil {
		return
	}
	l.setLocked(func(s *Status) { s.State, s.Reason, s.Err, s.FPS = Waiting, feed.ReasonOf(err), err, 0 })
	l.happened(EventDisconnected)
	if !healthy {
		_ = l.failed(err) // the next Open tells
	}
}

// Talk opens the camera's back channel. It outlives the connection that it was opened for: close it when that ends.
func (l *Line) Talk(ctx context.Context) (feed.Voice, error) {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn == nil {
		return nil, feed.Failf(feed.Away, "", "the camera is not connected")
	}
	talker, ok := conn.(feed.Talker)
	if !ok {
		return nil, feed.Failf(feed.Unsupported, "speaker", "speaker: only cameras that are reached by RTSP "+
			"have a back channel: remove it")
	}
	return talker.Talk(ctx)
}

// happened tells those who wait for events. The caller holds mu.
func (l *Line) happened(kind EventKind) {
	l.events.Publish(Event{Kind: kind, Time: time.Now(), Status: l.status})
}

// awaits notes why a connection has no picture yet that can be shown.
func (l *Line) awaits(why *feed.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.status.State == Connecting {
		l.setLocked(func(s *Status) { s.Err, s.Reason = why, why.Reason })
	}
}

// patience is how long pictures may stay away from the next connection at least.
func (l *Line) patience() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.slow
}

// silent notes that pictures stayed away from a connection that had them for so long. If that was short, again and
// again, the camera may send one each few seconds; then the next connection may be silent for twice as long.
func (l *Line) silent(lasted time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lasted >= Healthy {
		l.slow = 0
		return
	}
	l.slow = min(2*max(l.slow, giveUpAfter), maxSilence)
}

// Events returns a subscription to all events from now on. Close it.
func (l *Line) Events() *stream.Subscription[Event] {
	return l.events.Subscribe(stream.DropOldest(maxEvents))
}

// stalled notes whether pictures stay away from a connection.
func (l *Line) stalled(is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case is && l.status.State == Connected:
		l.setLocked(func(s *Status) { s.State, s.FPS = Stalled, 0 })
	case !is && l.status.State == Stalled && l.status.Err == nil:
		l.setLocked(func(s *Status) { s.State = Connected })
	}
}

// behind notes why the pictures of a connection are too old to be shown; nil if they are not.
func (l *Line) behind(why *feed.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	has := l.status.State == Connected || l.status.State == Stalled
	switch {
	case why != nil && has:
		l.setLocked(func(s *Status) { s.State, s.Reason, s.Err, s.FPS = Stalled, why.Reason, why, 0 })
	case why == nil && has && l.status.Err != nil:
		l.setLocked(func(s *Status) { s.State, s.Err = Connected, nil })
	}
}
