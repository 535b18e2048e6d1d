package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	ptzv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ptz/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// turret is an actuator that is commanded by a method, and counts what it is told. It may accept a stream too.
type turret struct {
	ptzv1.UnimplementedPtzServiceServer

	arbiter *actuator.Actuator

	mu     sync.Mutex
	pans   []float64
	stops  int
	notice chan struct{} // holds a token when there is something new
}

type turretConfig struct {
	Hears bool   `yaml:"hears"`
	State string `yaml:"state"`
}

func (u *turret) start(kit *device.Kit, c turretConfig) (device.Driver, error) {
	if c.Hears {
		device.NewIn[*messagev1.Message](kit, "speaker", stream.DropOldest(10))
	}
	a, err := actuator.New(kit, actuator.Config{State: c.State}, u, `{"pan":0}`)
	if err != nil {
		return nil, err
	}
	u.arbiter = a
	ptzv1.RegisterPtzServiceServer(kit, u)
	a.Attach()
	return u, nil
}

// Run implements device.Driver.
func (u *turret) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return ctx.Err()
}

// Safe implements actuator.Hardware.
func (u *turret) Safe(control.Cause) { u.tell(func() { u.stops++ }) }

// Move implements PtzService.
func (u *turret) Move(ctx context.Context, r *ptzv1.MoveRequest) (*ptzv1.MoveResponse, error) {
	report, err := u.arbiter.Submit(ctx, r.GetControl(), actuator.Rigid(r.GetPan() == 0, func(time.Time) {
		u.tell(func() { u.pans = append(u.pans, r.GetPan()) })
	}))
	return &ptzv1.MoveResponse{Report: report}, err
}

func (u *turret) tell(change func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change()
	select {
	case u.notice <- struct{}{}:
	default:
	}
}

// await returns what it was told once it has stopped more than that often.
func (u *turret) await(t *testing.T, stops int) []float64 {
	t.Helper()
	for timeout := time.After(time.Minute); ; {
		u.mu.Lock()
		pans, now := append([]float64{}, u.pans...), u.stops
		u.mu.Unlock()
		if now > stops {
			return pans
		}
		select {
		case <-u.notice:
		case <-timeout:
			t.Fatalf("it was told %v, and has stopped %d times", pans, now)
		}
	}
}

func startTurret(t *testing.T, nats, name string, hears bool) *turret {
	t.Helper()
	u := &turret{notice: make(chan struct{}, 1)}
	p, err := device.Start(device.Kind[turretConfig]{Name: "turret", Version: "1.0.0", New: u.start},
		device.Settings{Robot: "demo", Device: name, NATS: nats}, turretConfig{hears, t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return u
}

// TestSendByMethod: an actuator that is not a board is commanded by its method, under a lease. If there are several
// ways in, the error lists them.
func TestSendByMethod(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	t.Setenv("WALDO_NATS", server.URL())
	plain, hearing := startTurret(t, server.URL(), "plain", false), startTurret(t, server.URL(), "door", true)
	ls(t, 2)
	for u, args := range map[*turret][]string{
		plain:   {"send", "plain", `{"pan": 0.5}`, "--for", "300ms"},
		hearing: {"send", "door", `{"pan": 0.5}`, "--method", "PtzService/Move"},
	} {
		u.mu.Lock()
		stops := u.stops
		u.mu.Unlock()
		if code, _, err := waldo(t, args...); code != 0 {
			t.Errorf("%s: %d, %s", args, code, err)
		}
		if told := u.await(t, stops); len(told) < 2 || told[0] != 0 || told[1] != 0.5 {
			t.Errorf("%s: it was told %v", args, told)
		}
		if phase := u.arbiter.State().GetPhase(); phase != controlv1.ControlPhase_CONTROL_PHASE_FREE {
			t.Errorf("%s: left it in %v", args, phase)
		}
	}
	const ways = "choose one of --method waldo.ptz.v1.PtzService/Move (waldo.ptz.v1.MoveRequest), " +
		"--stream speaker (waldo.message.v1.Message)"
	for want, args := range map[string][]string{
		"in several ways: " + ways:           {`{"pan": 0.5}`},
		`by a method "Fly": ` + ways:         {`{}`, "--method", "Fly"},
		`by a method "GetPtz": ` + ways:      {`{}`, "--method", "GetPtz"},
		`no stream "x"; it accepts: speaker`: {`{}`, "--stream", "x"},
		`unknown field "pam"`:                {`{"pam": 1}`, "--method", "Move"},
		"unexpected token null":              {`null`, "--method", "Move"},
		"can't be used together":             {`{}`, "--method", "Move", "--stream", "speaker"},
	} {
		if code, _, err := waldo(t, append([]string{"send", "door"}, args...)...); code == 0 || !strings.Contains(err, want) {
			t.Errorf("%s: %d, %s, want %q", args, code, err, want)
		}
	}
	if code, _, err := waldo(t, "send", "door", `{"text": "hello"}`, "--stream", "speaker"); code != 0 {
		t.Errorf("by the stream: %d, %s", code, err)
	}
}
