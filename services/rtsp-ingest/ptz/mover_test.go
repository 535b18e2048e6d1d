package ptz

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/onvif"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long an event may take before a test fails.
const patience = time.Minute

// rig is a Mover with a fake camera.
type rig struct {
	*Mover
	camera   *fakecam.ONVIFCamera
	attached chan bool
	end      func()
}

func (r *rig) Attach() { r.attached <- true }
func (r *rig) Detach() { r.Safe(control.CauseAway); r.attached <- false }

// start starts a Mover, and returns when it can move the camera.
func start(t *testing.T, config fakecam.ONVIFConfig) *rig {
	t.Helper()
	r := &rig{camera: fakecam.StartONVIF(t, config), attached: make(chan bool, 100)}
	r.run(t)
	return r
}

func (r *rig) run(t *testing.T) {
	t.Helper()
	at, err := address.Parse(r.camera.URL(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	client := onvif.New(onvif.Config{Address: at, Limit: patience})
	r.Mover = New(Config{Camera: client, Deadman: 200 * time.Millisecond, Log: logtest.New(t, slog.LevelWarn),
		Changed: func(State) {}})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx, r) })
	r.end = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		client.Close()
	})
	t.Cleanup(r.end)
	r.await(t, true)
}

func (r *rig) await(t *testing.T, attached bool) {
	t.Helper()
	for {
		select {
		case now := <-r.attached:
			if now == attached {
				return
			}
		case <-time.After(patience):
			t.Fatalf("attached is not %v: %v, %s", attached, r.State().Reason, r.camera)
		}
	}
}

func (r *rig) happens(t *testing.T, k fakecam.Kind, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.camera.Await(ctx, k, n); err != nil {
		t.Fatal(err)
	}
}

// stands waits until the camera stands, and stays so.
func (r *rig) stands(t *testing.T) {
	t.Helper()
	for begin := time.Now(); r.camera.Moves(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("it moves: %s", r.camera)
		}
	}
}

func later() time.Time { return time.Now().Add(patience) }

var right = onvif.Velocity{Pan: 1}

// oddities of cameras, all of which are stopped.
var oddities = map[string]fakecam.PTZBehaviour{
	"the rules are kept":                  {},
	"the time is ignored":                 {IgnoreTimeout: true},
	"the time is refused":                 {RefuseTimeout: true, IgnoreTimeout: true},
	"Stop does nothing":                   {IgnoreTimeout: true, IgnoreStop: true},
	"it does not tell whether it moves":   {IgnoreTimeout: true, NoStatus: true},
	"it is slow":                          {IgnoreTimeout: true, Delay: 100 * time.Millisecond},
	"it runs on":                          {IgnoreTimeout: true, Coast: 700 * time.Millisecond},
	"it is slow, and does not tell":       {IgnoreTimeout: true, Delay: 100 * time.Millisecond, NoStatus: true},
	"it ignores stops, and does not tell": {IgnoreTimeout: true, IgnoreStops: 1, NoStatus: true},
	"it ignores stops":                    {IgnoreTimeout: true, IgnoreStops: 5},
}

func TestOddities(t *testing.T) {
	for name, behaviour := range oddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, fakecam.ONVIFConfig{PTZ: behaviour})
			if s := r.State(); !s.Ready || s.StopsWithin < 200*time.Millisecond || s.ReportsMotion == behaviour.NoStatus {
				t.Errorf("%+v", s)
			}
			r.Command(right, later())
			r.happens(t, fakecam.Moved, 1)
			r.Safe(control.CauseDeadman)
			r.stands(t)
			r.Command(onvif.Velocity{Tilt: -0.5, Zoom: 0.25}, later()) // and can be moved again
			r.happens(t, fakecam.Moved, 2)
			r.end()
			if r.camera.Moves() {
				t.Error("it moves after the end")
			}
		})
	}
}

// TestNeutralStops, as a stop does.
func TestNeutralStops(t *testing.T) {
	r := start(t, fakecam.ONVIFConfig{PTZ: fakecam.PTZBehaviour{IgnoreTimeout: true}})
	r.Command(right, later())
	r.happens(t, fakecam.Moved, 1)
	r.Command(onvif.Velocity{}, later())
	r.stands(t)
}

// TestFirstItStands: a camera that moves since another life is stopped before anything else.
func TestFirstItStands(t *testing.T) {
	r := start(t, fakecam.ONVIFConfig{PTZ: fakecam.PTZBehaviour{IgnoreTimeout: true}})
	r.Command(right, later())
	r.happens(t, fakecam.Moved, 1)
	r.Mover.config.Camera = lost{r.Mover.config.Camera} // the last stop does not get through, as after a crash
	r.end()
	if !r.camera.Moves() {
		t.Fatal("it does not move")
	}
	r.run(t)
	if r.camera.Moves() {
		t.Error("it can be moved, and was not stopped")
	}
}

// lost is a camera that nothing reaches any more.
type lost struct{ Camera }

func (lost) Stop(context.Context, onvif.Profile) error { return context.DeadlineExceeded }
func (lost) Move(context.Context, onvif.Profile, onvif.Velocity, time.Duration) error {
	return context.DeadlineExceeded
}

// TestNothingStale: what has expired is not sent, nor what was commanded before a stop.
func TestNothingStale(t *testing.T) {
	r := start(t, fakecam.ONVIFConfig{PTZ: fakecam.PTZBehaviour{Delay: 50 * time.Millisecond}})
	r.Command(right, time.Now().Add(-time.Millisecond))
	r.Command(right, time.Now().Add(-time.Millisecond))
	r.Safe(control.CauseEStop)
	r.Command(onvif.Velocity{Zoom: 1}, later())
	r.happens(t, fakecam.Moved, 1)
	for _, m := range r.camera.Motions() {
		if m.Pan != 0 {
			t.Errorf("%+v", m)
		}
	}
}

// TestNewestWins: of many commands few are sent, and the last is the newest.
func TestNewestWins(t *testing.T) {
	r := start(t, fakecam.ONVIFConfig{PTZ: fakecam.PTZBehaviour{IgnoreTimeout: true}})
	begin := time.Now()
	for i := 1; time.Since(begin) < time.Second; i++ {
		r.Command(onvif.Velocity{Pan: 1 / float64(i+1)}, later())
		time.Sleep(time.Millisecond) // commands come at a rate of their own
	}
	r.Command(onvif.Velocity{Zoom: -1}, later())
	for all := r.camera.Motions(); all[len(all)-1].Zoom != -1; all = r.camera.Motions() {
		if time.Since(begin) > patience {
			t.Fatal("the newest never came")
		}
	}
	if n, most := r.camera.Count(fakecam.Moved), int(time.Since(begin)/between)+2; n > most {
		t.Errorf("%d movements in %v", n, time.Since(begin))
	}
}

// TestCutOff: a stop does not wait for a movement that the camera is slow to take.
func TestCutOff(t *testing.T) {
	r := start(t, fakecam.ONVIFConfig{PTZ: fakecam.PTZBehaviour{IgnoreTimeout: true, Delay: 300 * time.Millisecond}})
	before := r.camera.Count("ContinuousMove")
	r.Command(right, later())
	r.happens(t, "ContinuousMove", before+1)
	r.Safe(control.CauseEStop)
	r.happens(t, fakecam.Moved, 1) // it was carried out all the same
	r.stands(t)
}

// TestGone: a camera that goes away is not ready, and is stopped when it is back.
func TestGone(t *testing.T) {
	r := start(t, fakecam.ONVIFConfig{PTZ: fakecam.PTZBehaviour{IgnoreTimeout: true}})
	r.camera.Close()
	r.Command(right, later())
	r.await(t, false)
	// It says so right after it has let go of the actuator.
	for begin := time.Now(); r.State().Ready || r.State().Reason == nil; time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("%+v", r.State())
		}
	}
	again, err := fakecam.NewONVIF(fakecam.ONVIFConfig{Listen: r.camera.Address()})
	if err != nil {
		t.Skip("SKIPPED: the port is taken:", err)
	}
	t.Cleanup(again.Close)
	r.await(t, true)
	if again.Count(fakecam.Stood) == 0 || again.Count(fakecam.Moved) > 0 {
		t.Errorf("%s", again)
	}
}

// TestCannotBeMoved says so.
func TestCannotBeMoved(t *testing.T) {
	m := New(Config{Camera: still{}, Log: logtest.New(t, slog.LevelError), Changed: func(State) {}})
	if _, err := m.find(t.Context()); err == nil || !strings.Contains(err.Error(), "ptz: ") {
		t.Errorf("%v", err)
	}
}

type still struct{ Camera }

func (still) Profiles(context.Context) ([]onvif.Profile, error) {
	return []onvif.Profile{{Token: "x"}}, nil
}
