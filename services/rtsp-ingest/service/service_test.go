package service

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ingestv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ingest/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/connect"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// camera takes a second to accept a connection, while it is on, and sends 25 pictures a second.
type camera struct {
	on  atomic.Bool
	end chan struct{} // ends a connection
}

func (c *camera) dial(context.Context) (feed.Conn, error) {
	time.Sleep(time.Second)
	if !c.on.Load() {
		return nil, feed.Failf(feed.Away, "url", "the camera is off: switch it on")
	}
	return c, nil
}

func (c *camera) Video() feed.Track             { return feed.Track{MediaType: media.H264} }
func (c *camera) Attributes() map[string]string { return map[string]string{"transport": "pigeon"} }
func (c *camera) Close() error                  { return nil }

func (c *camera) Run(ctx context.Context, to feed.Receiver) error {
	for i := 0; ; i++ {
		to.Picture(feed.Picture{MediaType: media.H264, Time: time.Duration(i) * picture, Arrival: time.Now()})
		select {
		case <-time.After(picture):
		case <-c.end:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

const picture = 40 * time.Millisecond

// pictures shows every picture.
type pictures struct{}

var format = &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 640, HeightPx: 360, FrameRateHz: 25}

func (pictures) Add(_ feed.Picture, at time.Time) (source.Frame, bool) {
	return source.Frame{Format: format, Time: at, Key: true}, true
}
func (pictures) Remarks() connect.Remarks { return connect.Remarks{} }
func (pictures) Info() source.Info        { return source.Info{Current: format} }

// watcher is the far end of a call of WatchConnection.
type watcher struct {
	grpc.ServerStream
	ctx  context.Context
	got  chan *ingestv1.ConnectionEvent
	code chan error // how the call ended
}

func (w *watcher) Context() context.Context { return w.ctx }

func (w *watcher) Send(r *ingestv1.WatchConnectionResponse) error {
	w.got <- r.GetEvent()
	return nil
}

// all takes what has come.
func (w *watcher) all() (list []*ingestv1.ConnectionEvent) {
	synctest.Wait()
	for len(w.got) > 0 {
		list = append(list, <-w.got)
	}
	return list
}

// scene is a service in a bubble, with a camera that is off.
type scene struct {
	*Service
	camera    camera
	published []*ingestv1.ConnectionEvent
}

// run runs test with a line that gives up after three attempts.
func run(t *testing.T, test func(t *testing.T, s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{camera: camera{end: make(chan struct{})}}
		policy := connect.Policy{Delay: time.Second, Backoff: 2, MaxDelay: 30 * time.Second, MaxAttempts: 3}
		line := connect.New(connect.Config{Dial: s.camera.dial, Policy: policy,
			Pictures: func(feed.Track) connect.Pictures { return pictures{} }})
		s.Service = New(line)
		ctx, cancel := context.WithCancel(t.Context())
		relayed, used := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(relayed)
			s.Relay(7, func(e *ingestv1.ConnectionEvent) { s.published = append(s.published, e) })
		}()
		go func() {
			defer close(used)
			for ctx.Err() == nil {
				if src, err := line.Open(ctx); err == nil {
					_ = src.(source.Watcher).Watch(ctx)
					_ = src.Close()
				}
			}
		}()
		defer func() {
			cancel()
			<-used
			line.Close()
			<-relayed
		}()
		test(t, s)
	})
}

func (s *scene) watch(ctx context.Context) *watcher {
	w := &watcher{ctx: ctx, got: make(chan *ingestv1.ConnectionEvent, 1000), code: make(chan error, 1)}
	go func() { w.code <- s.WatchConnection(nil, w) }()
	return w
}

func (s *scene) connection(t *testing.T) *ingestv1.Connection {
	t.Helper()
	r, err := s.GetConnection(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.GetConnection()
}

const (
	connected    = ingestv1.ConnectionEventKind_CONNECTION_EVENT_KIND_CONNECTED
	disconnected = ingestv1.ConnectionEventKind_CONNECTION_EVENT_KIND_DISCONNECTED
	gaveUp       = ingestv1.ConnectionEventKind_CONNECTION_EVENT_KIND_GAVE_UP
)

// After gave_up nothing is tried until Reconnect, which starts over.
func TestReconnectAfterGivingUp(t *testing.T) {
	run(t, func(t *testing.T, s *scene) {
		time.Sleep(time.Hour)
		synctest.Wait()
		c := s.connection(t)
		if c.GetState() != ingestv1.ConnectionState_CONNECTION_STATE_GAVE_UP || c.GetReconnectCount() != 2 ||
			c.GetIsConnected() || !strings.Contains(c.GetReason(), "switch it on; gave up after 3 attempts") {
			t.Errorf("after an hour without a camera: %v", c)
		}
		s.camera.on.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if c := s.connection(t); c.GetIsConnected() || c.GetReconnectCount() != 2 {
			t.Errorf("before Reconnect: %v", c)
		}
		if _, err := s.Reconnect(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if c := s.connection(t); !c.GetIsConnected() || c.GetConnectCount() != 1 || c.GetReason() != "" {
			t.Errorf("after Reconnect: %v", c)
		}
		if len(s.published) != 2 || s.published[0].GetKind() != gaveUp || s.published[1].GetKind() != connected {
			t.Errorf("published %v, want gave_up and connected", s.published)
		}
	})
}

// A connection is described by what was measured.
func TestGetConnection(t *testing.T) {
	run(t, func(t *testing.T, s *scene) {
		if c := s.connection(t); c.GetState() != ingestv1.ConnectionState_CONNECTION_STATE_CONNECTING {
			t.Errorf("at first %v", c)
		}
		s.camera.on.Store(true)
		begin := time.Now()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		c := s.connection(t)
		if c.GetState() != ingestv1.ConnectionState_CONNECTION_STATE_CONNECTED || c.GetFps() != 25 ||
			c.GetWidthPx() != 640 || c.GetHeightPx() != 360 || c.GetClock() != "arrival" || c.GetDelay().AsDuration() != 0 ||
			c.GetAttributes()["transport"] != "pigeon" {
			t.Errorf("connected: %v", c)
		}
		if since := c.GetStateTime().AsTime(); since.Before(begin.Add(time.Second)) || since.After(begin.Add(time.Second)) {
			t.Errorf("since %v, want a second after %v", since, begin)
		}
	})
}

// A watcher gets the connection as it is, and then every event, numbered without gaps.
func TestWatchConnection(t *testing.T) {
	run(t, func(t *testing.T, s *scene) {
		s.camera.on.Store(true)
		ctx, leave := context.WithCancel(t.Context())
		w := s.watch(ctx)
		time.Sleep(10 * time.Second)
		s.camera.end <- struct{}{}
		time.Sleep(10 * time.Second)
		late := s.watch(t.Context())
		got := w.all()
		for i, want := range []ingestv1.ConnectionEventKind{0, connected, disconnected, connected} {
			if i >= len(got) || got[i].GetKind() != want || i > 0 && (got[i].GetSequence() != int64(i-1) ||
				got[i].GetEpoch() != 7 || got[i].GetConnection().GetIsConnected() != (want == connected)) {
				t.Fatalf("events %v, want %v at %d", got, want, i)
			}
		}
		if got := late.all(); len(got) != 1 || got[0].GetKind() != 0 || !got[0].GetConnection().GetIsConnected() {
			t.Errorf("a late watcher gets %v, want the connection as it is", got)
		}
		leave()
		if err := <-w.code; status.Code(err) != codes.Canceled {
			t.Errorf("a watcher who leaves gets %v", err)
		}
		s.line.Close()
		if err := <-late.code; status.Code(err) != codes.Unavailable {
			t.Errorf("when the line is closed a watcher gets %v, want Unavailable", err)
		}
	})
}

// One who does not read is told, and holds nobody up.
func TestAWatcherWhoDoesNotRead(t *testing.T) {
	run(t, func(t *testing.T, s *scene) {
		w := &watcher{ctx: t.Context(), got: make(chan *ingestv1.ConnectionEvent), code: make(chan error, 1)}
		go func() { w.code <- s.WatchConnection(nil, w) }()
		synctest.Wait()
		for range maxLate + 2 { // one is being sent
			s.events.Publish(&ingestv1.ConnectionEvent{})
		}
		err := error(nil)
		for n := 0; err == nil; {
			select {
			case <-w.got:
				n++
			case err = <-w.code:
			}
		}
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("got %v, want ResourceExhausted", err)
		}
	})
}
