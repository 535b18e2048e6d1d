package connect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/clock"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/source"
)

// maxQueue is how many pictures may wait for the pipeline before the oldest are lost.
const maxQueue = 30

// session is one connection, with the goroutine that receives. It is the [source.Source] of its pictures.
type session struct {
	line     *Line
	conn     feed.Conn
	pictures Pictures
	clock    *clock.Estimator
	watch    watchdog
	told     time.Time // when info and status were renewed; belongs to the receiving goroutine
	made     time.Time
	why      time.Time // when the status said last why nothing can be shown; belongs to the receiving goroutine

	frames *stream.Topic[source.Frame]
	old    source.Gap                         // in what may be shown; belongs to the receiving goroutine
	queue  *stream.Subscription[source.Frame] // of the pipeline
	gap    source.Gap                         // in what it took; belongs to Capture
	shown  sync.Once
	ready  chan struct{} // closed by shown, at the first frame
	began  time.Time     // when that was, once ready is closed
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when Run has returned
	err    error         // why, once ended is closed

	mu    sync.Mutex
	info  source.Info // of the pictures
	waits string      // why the last one could not be shown
	// why those that come are too old to be shown, "" if they are not; the receiving goroutine changes it
	behind string
	closed sync.Once
}

// newSession starts to receive.
func newSession(l *Line, conn feed.Conn) *session {
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &session{
		line: l, conn: conn, pictures: l.config.Pictures(conn.Video()), clock: clock.New(l.config.Latency),
		frames: stream.NewTopic[source.Frame](), ready: make(chan struct{}),
		cancel: cancel, ended: make(chan struct{}), made: time.Now(),
	}
	s.watch.patience = l.patience()
	s.queue = s.frames.Subscribe(stream.DropOldest(maxQueue))
	go s.run(ctx)
	return s
}

// run receives until the connection goes, the watchdog ends it, or end is called.
func (s *session) run(ctx context.Context) {
	defer close(s.ended)
	var watching sync.WaitGroup
	watching.Go(func() { s.guard(ctx) })
	if media.InterCoded(s.conn.Video().MediaType) {
		watching.Go(func() { s.line.keys.Run(ctx, s.ways()) })
	}
	err := s.conn.Run(ctx, feed.Receiver{Picture: s.picture, Sound: s.sound, Report: s.report})
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err == nil {
		err = feed.Failf(feed.Away, "url", "the camera ended the stream")
	}
	s.err = err
	s.cancel(err)
	watching.Wait()
	s.frames.Close(err)
}

// ways are those in which the camera can be asked for a key frame.
func (s *session) ways() []feed.Way {
	ways := s.line.config.KeyFrames
	if c, ok := s.conn.(feed.KeyFramer); ok {
		ways = slices.Concat(c.KeyFrameWays(), ways)
	}
	return ways
}

// first waits for the first frame.
func (s *session) first(ctx context.Context) error {
	select {
	case <-s.ready:
		return ctx.Err()
	case <-s.ended:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// picture takes a picture from the connection.
func (s *session) picture(p feed.Picture) {
	stamp := s.clock.Picture(clock.Sample{
		Time: p.Time, Arrival: p.Arrival, Restart: p.Restart, Untimed: p.Untimed,
	})
	frame, ok := s.pictures.Add(p, stamp.Time)
	if !p.Damaged { // a camera that sends only pieces is not alive
		s.watch.picture(p.Arrival)
	}
	if !ok {
		s.waiting(s.pictures.Remarks().Waits)
		return
	}
	if s.clock.Late() && !s.line.config.Pushed {
		s.cancel(feed.Failf(feed.Away, "url", "the pictures had become older and older: connecting again empties the "+
			"camera's queue"))
		return
	}
	s.renew(stamp)
	if frame, ok = s.fresh(frame); !ok {
		return
	}
	s.frames.Publish(frame)
	if frame.Key {
		s.line.keys.Key(p.Arrival)
	}
	s.shown.Do(func() {
		s.began = time.Now()
		close(s.ready)
	})
	s.line.stalled(false)
}

// tooOld is by how much later than it could a picture may come from a camera that cannot be connected again.
const tooOld = time.Second

// fresh leaves out what a publisher sends far too late, until it has caught up and a key frame has come: nobody is to
// act on it, and only the publisher can empty its queue.
func (s *session) fresh(f source.Frame) (source.Frame, bool) {
	delay := s.clock.Delay()
	if !s.line.config.Pushed || !s.clock.Late() || delay <= tooOld {
		f, ok := s.old.Close(f, 0)
		if ok && s.behind != "" {
			s.tell(nil)
		}
		return f, ok
	}
	s.old.Skip(f)
	s.tell(feed.Failf(feed.Away, "listen", "the publisher is %.1f s behind, and pictures so old are not shown: lower its "+
		"bit rate, or restart it", delay.Seconds()))
	return f, false
}

// tell says why pictures are too old to be shown; nil if they are not.
func (s *session) tell(behind *feed.Error) {
	s.mu.Lock()
	s.behind = ""
	if behind != nil {
		s.behind = behind.Text
	}
	s.mu.Unlock()
	s.line.behind(behind)
}

// waiting notes why a picture cannot be shown. A key frame may end that.
func (s *session) waiting(why string) {
	if why != "" {
		s.line.keys.Want()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = why
	if why != "" && time.Since(s.made) >= tellAfter && time.Since(s.why) >= statusEvery {
		s.why = time.Now()
		s.line.awaits(feed.Failf(feed.Unsupported, "url", "no picture can be shown yet: %s", why))
	}
}

// tellAfter is how long a connection may have nothing to show before its status says why.
const tellAfter = 3 * time.Second

func (s *session) sound(b feed.Sound) {
	stamp := s.clock.Sound(clock.Sample{Time: b.Time, Arrival: b.Arrival})
	if to := s.line.config.Sound; to != nil {
		to(b, stamp.Time)
	}
}

func (s *session) report(r feed.Report) { s.clock.Report(r) }

// renew keeps what is told of the pictures true, at the first of them and then once a second.
func (s *session) renew(stamp clock.Stamp) {
	if time.Since(s.told) < statusEvery {
		return
	}
	s.told = time.Now()
	info := s.pictures.Info()
	s.mu.Lock()
	s.info = info
	s.mu.Unlock()
	fps, remarks := s.watch.rate(), s.pictures.Remarks()
	info = s.Info()
	s.line.set(func(st *Status) {
		st.KeyInterval, st.Attributes = remarks.KeyInterval, said(info.Attributes)
		st.FPS, st.Width, st.Height = fps, int(info.Current.GetWidthPx()), int(info.Current.GetHeightPx())
		st.Clock, st.Delay = stamp.Clock, s.clock.Delay()
	})
	if to := s.line.config.Renewed; to != nil {
		to(info)
	}
}

// statusEvery is how often figures in the status are renewed.
const statusEvery = time.Second

// guard ends the session when pictures stay away.
func (s *session) guard(ctx context.Context) {
	if !s.awaitFirst(ctx) {
		return
	}
	for {
		stalled, dead := s.watch.limits()
		now := time.Now()
		if !now.Before(dead) {
			s.line.silent(s.watch.lasted())
			s.cancel(feed.Failf(feed.Away, "url", "the camera is connected but sends no pictures any more: connecting again"))
			return
		}
		s.line.stalled(!now.Before(stalled))
		next := dead
		if now.Before(stalled) {
			next = stalled
		}
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
			return
		}
	}
}

// awaitFirst waits for the first picture. It returns false if the session ends before, which it sees to itself.
func (s *session) awaitFirst(ctx context.Context) bool {
	limit := time.NewTimer(FirstPicture)
	defer limit.Stop()
	select {
	case <-s.ready:
		return true
	case <-limit.C:
		s.cancel(s.nothing())
	case <-ctx.Done():
	}
	return false
}

// nothing is the error of a camera that sends nothing to be shown.
func (s *session) nothing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits != "" {
		return feed.Failf(feed.Unsupported, "url", "no picture could be shown in %v: %s", FirstPicture, s.waits)
	}
	return feed.Failf(feed.Away, "url", "the camera is connected but has sent no picture in %v: "+
		"look whether it shows one in its own app, and set its codec to H.264", FirstPicture)
}

// Info implements source.Source.
func (s *session) Info() source.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := s.info
	info.Unasked = true
	info.Attributes = maps.Clone(s.conn.Attributes())
	if info.Attributes == nil {
		info.Attributes = map[string]string{}
	}
	maps.Copy(info.Attributes, s.info.Attributes)
	info.Attributes["behind"] = s.behind
	if media.InterCoded(s.conn.Video().MediaType) {
		info.Attributes["key_frame_request"] = s.line.keys.String()
	}
	return info
}

// KeyFrameOnRequest implements source.KeyFramer.
func (s *session) KeyFrameOnRequest() bool { return s.line.keys.OnRequest() }

// WantKeyFrame implements source.KeyFramer.
func (s *session) WantKeyFrame() { s.line.keys.Want() }

// RequestKeyFrame implements source.KeyFramer.
func (s *session) RequestKeyFrame(ctx context.Context) error { return s.line.keys.Request(ctx) }

// Capture implements source.Source. It goes on where the last one stopped; the first begins with the first picture.
func (s *session) Capture(ctx context.Context, deliver func(source.Frame)) error {
	return s.gap.Relay(ctx, s.queue, s.line.keys.Want, deliver)
}

// Watch implements source.Watcher.
func (s *session) Watch(ctx context.Context) error {
	select {
	case <-s.ended:
		return s.err
	case <-ctx.Done():
		return nil
	}
}

// Close implements source.Source.
func (s *session) Close() error {
	s.closed.Do(func() { s.line.lost(s.end(), time.Since(s.began) >= Healthy) })
	return nil
}

// end ends the connection, waits for that, and returns why it had ended before; nil if it had not.
func (s *session) end() error {
	s.cancel(errEnded)
	<-s.ended
	if errors.Is(s.err, errEnded) {
		return nil
	}
	return s.err
}

var errEnded = errors.New("closed")
