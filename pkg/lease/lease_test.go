package lease

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// motor is a device that takes commands through Submit, which stands for the methods of a real service.
type motor struct{ *actuator.Actuator }

func (motor) Safe(control.Cause) {}

func (m motor) Run(ctx context.Context, ready func()) error {
	m.Attach()
	ready()
	<-ctx.Done()
	return nil
}

// start returns a motor and the ways to reach it.
func start(t *testing.T) (motor, map[string]grpc.ClientConnInterface) {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	var m motor
	kind := device.Kind[actuator.Config]{Name: "motor", Version: "1.0.0",
		New: func(kit *device.Kit, c actuator.Config) (_ device.Driver, err error) {
			m.Actuator, err = actuator.New(kit, c, m, `{"speed":0}`)
			return m, err
		}}
	p, err := device.Start(kind, device.Settings{Robot: "r", Device: "d", NATS: server.URL()},
		actuator.Config{State: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	// until Run has reported that the hardware is ready
	for p.Kit().Device().GetState() != devicev1.DeviceState_DEVICE_STATE_READY {
		time.Sleep(time.Millisecond)
	}
	direct, err := grpc.NewClient(p.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = direct.Close() })
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return m, map[string]grpc.ClientConnInterface{"gRPC": direct, "bus": conn.Client(p.Kit().Address())}
}

// send sends a command under a lease.
func (m motor) send(ctx context.Context, l *Lease, neutral bool) error {
	header, err := l.Header(ctx)
	if err != nil {
		return err
	}
	report, err := m.Submit(ctx, header, actuator.Rigid(neutral, func(time.Time) {}))
	if err != nil {
		report = nil // as a call does
	}
	l.Heard(report, err)
	return err
}

// TestDrive: one drive lasts longer than a lease. On a busy machine a second may pass without a sign of life, which
// ends the lease, as it must; the drive begins again then.
func TestDrive(t *testing.T) {
	m, ways := start(t)
	for name, conn := range ways {
		t.Run(name, func(t *testing.T) {
			l, err := m.drive(t, conn)
			for begin := time.Now(); err != nil; l, err = m.drive(t, conn) {
				if time.Since(begin) > time.Minute {
					t.Fatal(err)
				}
			}
			l.Close()
			again, err := Acquire(t.Context(), conn, "cy")
			if err != nil {
				t.Fatalf("after it was given back: %v", err)
			}
			again.Close()
		})
	}
}

// drive drives for longer than a lease lasts, and with pauses in which the clock gets old and the deadman fires.
func (m motor) drive(t *testing.T, conn grpc.ClientConnInterface) (_ *Lease, err error) {
	t.Helper()
	ctx := t.Context()
	l, err := Acquire(ctx, conn, "ann")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.Neutral() != `{"speed":0}` {
		t.Errorf("neutral is %s", l.Neutral())
	}
	if err := m.send(ctx, l, false); Report(err).GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_NOT_NEUTRAL {
		return nil, errors.Join(errors.New("the first command was not refused as not neutral"), err)
	}
	for begin := time.Now(); time.Since(begin) < control.LeaseTTL*3/2; {
		if err := m.send(ctx, l, true); err != nil &&
			Report(err).GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_BEFORE_STOP {
			return nil, fmt.Errorf("after %v: %w", time.Since(begin), err)
		}
		<-time.After(control.DefaultDeadman * 5 / 4)
	}
	if second, err := Acquire(ctx, conn, "bob"); status.Code(err) != codes.FailedPrecondition {
		if err == nil {
			second.Close()
		}
		return nil, errors.Join(errors.New("somebody else was not refused"), err)
	}
	return l, nil
}

func TestLost(t *testing.T) {
	m, ways := start(t)
	ctx := t.Context()
	for name, notice := range map[string]func(*Lease) error{
		"by a command":          func(l *Lease) error { return m.send(ctx, l, true) },
		"by the sign of life":   func(l *Lease) error { return l.keepAlive(ctx) },
		"by itself, after time": func(l *Lease) error { <-l.done; return l.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Acquire(ctx, ways["bus"], "ann")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if name != "by itself, after time" { // nothing else notices
				l.cancel()
				<-l.done
			}
			other, err := Take(ctx, ways["gRPC"], "bob", "")
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if err := notice(l); err == nil {
				t.Error("nothing was noticed")
			}
			if err := l.Err(); !errors.Is(err, ErrLost) {
				t.Errorf("err is %v", err)
			}
			if _, err := l.Header(ctx); !errors.Is(err, ErrLost) {
				t.Errorf("header: %v", err)
			}
		})
	}
}
