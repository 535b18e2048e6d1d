package fleet_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/fleet"
)

// served is one instance of a robot.
type served struct {
	number int32 // of the instances so far
	busy   atomic.Bool
	old    atomic.Bool // it must be served anew
	away   atomic.Value
	closed chan struct{}
}

func (s *served) ServeHTTP(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, s.number) }
func (s *served) Busy() bool                                       { return s.busy.Load() }
func (s *served) Close()                                           { close(s.closed) }
func (s *served) Told(*fleetv1.GetRobotResponse) bool              { return !s.old.Load() }
func (s *served) SetAway(reason string)                            { s.away.Store(reason) }

// rig is a fleet with one robot, rover.
type rig struct {
	t         *testing.T
	instances *fleet.Instances
	opened    chan *served
	number    atomic.Int32
	busy      atomic.Bool // whether somebody is connected to instances that are opened
	state     *fleetv1.RobotState

	mu  sync.Mutex
	err error // what asking the robot ends with
}

func newRig(t *testing.T, linger time.Duration) *rig {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	robots, err := presence.FollowRobots(conn.Conn, presence.RobotsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(robots.Close)
	r := &rig{t: t, opened: make(chan *served, 100),
		state: &fleetv1.RobotState{Robot: "rover", Epoch: 1, Version: "1.0.0"}}
	robots.Reached(r.state)
	r.instances = fleet.New(fleet.Config{Robots: robots, Ask: r.ask, Open: r.open, Linger: linger})
	t.Cleanup(r.instances.Close)
	return r
}

func (r *rig) ask(context.Context, string) (*fleetv1.GetRobotResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &fleetv1.GetRobotResponse{State: r.state}, r.err
}

// answer has the robot answer so from now on.
func (r *rig) answer(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *rig) open(string, *fleetv1.GetRobotResponse) (fleet.Robot, fleet.Follower, error) {
	s := &served{number: r.number.Add(1), closed: make(chan struct{})}
	s.busy.Store(r.busy.Load())
	r.opened <- s
	return s, s, nil
}

// get asks for a robot's page and returns which instance has answered.
func (r *rig) get(name string) (string, error) {
	w := httptest.NewRecorder()
	err := r.instances.Serve(w, httptest.NewRequest(http.MethodGet, "/", nil), name)
	return w.Body.String(), err
}

// must returns the only instance that was opened since.
func (r *rig) must() *served {
	r.t.Helper()
	select {
	case s := <-r.opened:
		return s
	case <-time.After(patience):
		r.t.Fatal("there is no instance")
		return nil
	}
}

func (r *rig) await(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("it is not so that %s", what)
		}
	}
}

// ended returns when an instance has ended.
func (r *rig) ended(s *served) {
	r.t.Helper()
	select {
	case <-s.closed:
	case <-time.After(patience):
		r.t.Fatal("an instance does not end")
	}
}

// TestOneInstance: all who ask at once, and later, get the same instance; who asks for a robot that nobody knows gets
// none.
func TestOneInstance(t *testing.T) {
	r := newRig(t, time.Hour)
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if text, err := r.get("rover"); text != "1" || err != nil {
				t.Errorf("got %q, %v", text, err)
			}
		})
	}
	asking.Wait()
	if !r.instances.Has("rover") || r.instances.Has("arm") {
		t.Error("there are other instances than that of rover")
	}
	if _, err := r.get("arm"); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), `"arm"`) {
		t.Errorf("a robot that nobody knows: %v", err)
	}
	s := r.must()
	r.instances.Close()
	r.ended(s)
	if _, err := r.get("rover"); status.Code(err) != codes.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}

// TestLinger: an instance ends when nobody is there, and not before; the next visitor gets another.
func TestLinger(t *testing.T) {
	r := newRig(t, 40*time.Millisecond)
	if _, err := r.get("rover"); err != nil {
		t.Fatal(err)
	}
	first := r.must()
	r.ended(first)
	r.await("the instance is gone", func() bool { return !r.instances.Has("rover") })
	r.busy.Store(true)
	if _, err := r.get("rover"); err != nil {
		t.Fatal(err)
	}
	second := r.must()
	for range 20 { // far longer than it lingers
		if text, err := r.get("rover"); err != nil || text != "2" {
			t.Errorf("while somebody is there %q answers, %v", text, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	second.busy.Store(false)
	r.ended(second)
}

// TestAway: while a robot does not answer its instance stays and is told why, and new ones are refused with that
// reason.
func TestAway(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{status.Error(codes.Unavailable, "nobody answers"), "robot rover is away: it is not connected to its hub"},
		{status.Error(codes.DeadlineExceeded, "late"), "robot rover is away: it does not answer"},
	} {
		t.Run(status.Code(tt.err).String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, time.Hour)
			if _, err := r.get("rover"); err != nil {
				t.Fatal(err)
			}
			s := r.must()
			told := func() string { reason, _ := s.away.Load().(string); return reason }
			r.answer(tt.err)
			r.await("the instance is told", func() bool { return strings.HasPrefix(told(), tt.want) })
			if text, err := r.get("rover"); text != "1" || err != nil {
				t.Errorf("the instance answers %q, %v", text, err)
			}
			r.answer(nil)
			r.await("the robot is back", func() bool { return told() == "" })
		})
	}
	r := newRig(t, time.Hour)
	r.answer(status.Error(codes.Unavailable, "nobody answers"))
	for range 2 { // the second time it is known
		if _, err := r.get("rover"); status.Code(err) != codes.Unavailable ||
			!strings.Contains(err.Error(), "rover is away") {
			t.Errorf("a robot that is away: %v", err)
		}
	}
	if r.instances.Has("rover") {
		t.Error("there is an instance of a robot that is away")
	}
}

// TestAnew: a robot that is driven in another way is served by another instance.
func TestAnew(t *testing.T) {
	r := newRig(t, time.Hour)
	if _, err := r.get("rover"); err != nil {
		t.Fatal(err)
	}
	first := r.must()
	first.old.Store(true)
	r.ended(first)
	r.await("another instance answers", func() bool { text, err := r.get("rover"); return err == nil && text == "2" })
}
