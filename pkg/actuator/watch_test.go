package actuator

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/control"
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
	kind := device.Kind[nothing]{Name: "eye", Version: "1.0.0",
		New: func(kit *device.Kit, _ nothing) (device.Driver, error) {
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

// announcement is that of a picture that was captured so long ago.
func announcement(age time.Duration) *mediav1.Capture {
	return &mediav1.Capture{Epoch: 1, CaptureTime: timestamppb.New(time.Now().Add(-age)), Age: durationpb.New(age)}
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
	report, err := p.a.Submit(context.Background(),
		&controlv1.CommandHeader{LeaseEpoch: p.lease, Sequence: p.sequence, Heard: p.heard, Seen: seen},
		speed{share, func(f float64) { factor = f }})
	if report != nil {
		p.heard = report.GetClock()
	}
	return factor, report, err
}

// TestSight judges commands by what their driver had seen.
func TestSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		a := benchOf(t, w, Config{Sight: drive.Sight{See: "front"}})
		a.Attach()
		p := acquire(t, a, w)
		if s := a.State().GetSight(); s.GetCamera() != "front" || s.GetAge() != nil || s.GetSpeed() != 0 ||
			s.GetSlow().AsDuration() != drive.DefaultSlow || s.GetStop().AsDuration() != drive.DefaultStop {
			t.Errorf("before anything is seen: %v", s)
		}
		if f, _, err := p.look(0, nil); f != 1 || err != nil {
			t.Errorf("standing still needs no eyes: %v, %v", f, err)
		}
		f, report, err := p.look(1, nil)
		if f != -1 || status.Code(err) != codes.FailedPrecondition ||
			!strings.Contains(err.Error(), `no picture of "front"`) ||
			report.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_BLIND {
			t.Errorf("without a picture: %v, %v, %v", f, report, err)
		}
		if s := a.State(); s.GetCause() != controlv1.SafeCause_SAFE_CAUSE_BLIND ||
			s.GetPhase() != controlv1.ControlPhase_CONTROL_PHASE_SAFE {
			t.Errorf("blind: %v", s)
		}
		for name, tt := range map[string]struct {
			age           time.Duration
			share, factor float64
			text          string
		}{
			"new":              {0, 1, 1, ""},
			"old":              {550 * time.Millisecond, 1, 0.5, ""},
			"old, and slow":    {550 * time.Millisecond, 0.5, 1, ""},
			"old, and too old": {800 * time.Millisecond, 0.1, -1, "is 800ms old, and the hardware stands still from 800ms on"},
		} {
			c := announcement(tt.age)
			a.watcher.seen.Add(a.clock(), c)
			f, report, err := p.look(tt.share, c.GetCaptureTime())
			if f < tt.factor-1e-9 || f > tt.factor+1e-9 || (tt.text == "") != (err == nil) ||
				report.GetSight().GetAge().AsDuration() != tt.age || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: %v, %v, %v", name, f, report, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		_, _, err = p.look(1, &timestamppb.Timestamp{Nanos: -1})
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "control.seen") {
			t.Errorf("with nonsense: %v", err)
		}
	})
}

// TestSilentCamera names the cause of blindness if the camera announces nothing.
func TestSilentCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		a := benchOf(t, w, Config{Sight: drive.Sight{See: "front"}})
		a.Attach()
		time.Sleep(2 * silence) // without a lease none are wanted
		p := acquire(t, a, w)
		c := announcement(0)
		for _, step := range []struct {
			wait     time.Duration
			announce bool
			want     string
		}{
			{0, false, `has seen no picture of "front"`},
			{silence - 1, false, "has seen no picture"},
			{1, false, `nothing was heard from camera "front" for a second: is it, or the bus, down?`},
			{0, true, "is 1s old, and the hardware stands still"},
			{silence, false, "nothing was heard from camera"},
		} {
			const pause = control.DefaultLife / 2
			_, _, _ = p.look(0, nil)
			for left := step.wait; left > 0; left -= pause {
				time.Sleep(min(left, pause))
				_, _, _ = p.look(0, nil) // keeps the lease
			}
			if step.announce {
				a.watcher.seen.Add(a.clock(), &mediav1.Capture{Epoch: 1, CaptureTime: c.GetCaptureTime(),
					Age: durationpb.New(time.Second)})
			}
			if _, _, err := p.look(1, c.GetCaptureTime()); err == nil || !strings.Contains(err.Error(), step.want) {
				t.Errorf("%+v: %v", step, err)
			}
		}
	})
}

// TestBlindStop stops the hardware when the picture behind the command in force gets too old, at that very moment.
func TestBlindStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		a := benchOf(t, w, Config{Sight: drive.Sight{See: "front"}})
		a.Attach()
		p := acquire(t, a, w)
		c := announcement(700 * time.Millisecond)
		a.watcher.seen.Add(a.clock(), c)
		for _, share := range []float64{0, 1} {
			if _, _, err := p.look(share, c.GetCaptureTime()); err != nil {
				t.Fatal(err)
			}
		}
		before := len(w.all())
		time.Sleep(100*time.Millisecond - 1)
		synctest.Wait()
		if said := w.all(); len(said) != before {
			t.Errorf("too early: %v", said[before:])
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if said := w.all(); len(said) != before+1 || said[before] != control.CauseBlind.String() {
			t.Errorf("then: %v", said[before:])
		}
	})
}

// TestCameraIsHeld as long as somebody has the lease, and its announcements are noted.
func TestCameraIsHeld(t *testing.T) {
	c := configIn(t.TempDir())
	c.Sight = drive.Sight{See: "front"}
	m := startMotor(t, c)
	e := startEye(t, m.server.URL())
	if e.out.Held() {
		t.Error("the camera is held though nobody drives")
	}
	s := &service{a: m.Actuator}
	var lease int64
	var said *mediav1.Capture
	await(t, "the camera is held, and says something", func() bool {
		if r, err := s.Acquire(t.Context(), &controlv1.AcquireRequest{Holder: "ann"}); err == nil { // again, if it lapsed
			lease = r.GetLease().GetEpoch()
		}
		_, _ = s.KeepAlive(t.Context(), &controlv1.KeepAliveRequest{LeaseEpoch: lease})
		_, known := m.watcher.seen.Find(m.clock(), said.GetCaptureTime())
		said = announcement(0)
		e.out.Publish(said)
		return known && e.out.Held()
	})
	if _, err := s.Release(t.Context(), &controlv1.ReleaseRequest{LeaseEpoch: lease}); err != nil {
		t.Fatal(err)
	}
	await(t, "the camera is let go", func() bool { return !e.out.Held() })
}
