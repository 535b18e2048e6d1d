package actuator

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/drive"
)

// eye is a camera that announces pictures when a test says so.
type eye struct {
	*device.Process
	out *device.Out[*mediav1.Capture]
}

type nothing struct{}

func startEye(t *testing.T, server string) *eye {
	t.Helper()
	e := &eye{}
	kind := device.Kind[nothing]{Name: "eye", Version: "1.0.0", New: func(kit *device.Kit, _ nothing) (device.Driver, error) {
		e.out = device.NewOut[*mediav1.Capture](kit, Captures, device.OutOptions{Absent: true})
		return e, nil
	}}
	var err error
	if e.Process, err = device.Start(kind, device.Settings{Robot: "r", Device: "front", NATS: server}, nothing{},
		nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	await(t, "the camera is there", func() bool {
		return e.Kit().Device().GetState() == devicev1.DeviceState_DEVICE_STATE_READY
	})
	return e
}

func (e *eye) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// capture announces a picture that was captured so long ago, and returns its time.
func (e *eye) capture(age time.Duration) *timestamppb.Timestamp {
	at := timestamppb.New(time.Now().Add(-age))
	e.out.Publish(&mediav1.Capture{Epoch: e.Kit().Epoch(), CaptureTime: at, Age: durationpb.New(age)})
	return at
}

// speed is a command with a number.
type speed struct {
	share float64
	done  func(factor float64)
}

func (s speed) Neutral() bool                        { return s.share == 0 }
func (s speed) Speed() (float64, bool)               { return s.share, true }
func (s speed) CarryOut(factor float64, _ time.Time) { s.done(factor) }

// look sends a command of a driver who has seen a picture, and returns the factor by which it was slowed, or -1.
func (p *pilot) look(share float64, seen *timestamppb.Timestamp) (float64, *controlv1.CommandReport, error) {
	p.sequence++
	factor := -1.0
	report, err := p.a.Submit(&controlv1.CommandHeader{LeaseEpoch: p.lease, Sequence: p.sequence, Heard: p.heard, Seen: seen},
		speed{share, func(f float64) { factor = f }})
	if report != nil {
		p.heard = report.GetClock()
	}
	return factor, report, err
}

// TestSight drives a whole device whose driver must see another one.
func TestSight(t *testing.T) {
	c := configIn(t.TempDir())
	c.Sight = drive.Sight{See: "front", Blind: drive.Blind{Slow: 4 * time.Second, Stop: 10 * time.Second}}
	m := startMotor(t, c)
	e := startEye(t, m.server.URL())
	if e.out.Held() {
		t.Error("the camera is held though nobody drives")
	}
	p := acquire(t, m.Actuator, m.wire)
	if s := m.State().GetSight(); s.GetCamera() != "front" || s.GetAge() != nil || s.GetSpeed() != 0 ||
		s.GetStop().AsDuration() != 10*time.Second {
		t.Errorf("before anything is seen: %v", s)
	}
	stay := p.keepAlive(t)
	await(t, "the camera is held", e.out.Held)
	if f, _, err := p.look(0, nil); f != 1 || err != nil {
		t.Errorf("standing still needs no eyes: %v, %v", f, err)
	}
	f, report, err := p.look(1, nil)
	if f != -1 || status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), `no picture of "front"`) ||
		report.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_BLIND {
		t.Errorf("without a picture: %v, %v, %v", f, report, err)
	}
	if s := m.State(); s.GetCause() != controlv1.SafeCause_SAFE_CAUSE_BLIND ||
		s.GetPhase() != controlv1.ControlPhase_CONTROL_PHASE_SAFE {
		t.Errorf("blind: %v", s)
	}
	var fresh, old, ancient *timestamppb.Timestamp
	await(t, "it is announced", func() bool {
		fresh, old, ancient = e.capture(0), e.capture(7*time.Second), e.capture(11*time.Second)
		return m.watcher.find(m.clock(), ancient).Known
	})
	if f, report, err := p.look(1, fresh); f != 1 || err != nil || report.GetSight().GetSpeed() != 1 {
		t.Errorf("with a fresh picture: %v, %v, %v", f, report, err)
	}
	if f, report, err := p.look(1, old); f <= 0 || f > 0.5 || err != nil || report.GetSight().GetSpeed() > 0.5 ||
		report.GetSight().GetAge().AsDuration() < 7*time.Second {
		t.Errorf("with an old picture: %v, %v, %v", f, report, err)
	}
	if f, _, err := p.look(0.1, old); f != 1 || err != nil {
		t.Errorf("slowly with an old picture: %v, %v", f, err)
	}
	if f, _, err := p.look(1, ancient); f != -1 || err == nil || !strings.Contains(err.Error(), "stands still from 10s") {
		t.Errorf("with too old a picture: %v, %v", f, err)
	}
	if f, _, err := p.look(1, &timestamppb.Timestamp{Nanos: -1}); f != -1 || status.Code(err) != codes.InvalidArgument ||
		!strings.Contains(err.Error(), "control.seen") {
		t.Errorf("with nonsense: %v, %v", f, err)
	}
	stay()
	if _, err := (&service{a: m.Actuator}).Release(t.Context(), &controlv1.ReleaseRequest{LeaseEpoch: p.lease}); err != nil {
		t.Fatal(err)
	}
	await(t, "the camera is let go", func() bool { return !e.out.Held() })
}

// keepAlive keeps the lease until the function it returns is called.
func (p *pilot) keepAlive(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var alive sync.WaitGroup
	alive.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			_, err := (&service{a: p.a}).KeepAlive(ctx, &controlv1.KeepAliveRequest{LeaseEpoch: p.lease})
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); alive.Wait() })
	t.Cleanup(stop)
	return stop
}
