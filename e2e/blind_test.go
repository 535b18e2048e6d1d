package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/lease"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// lookout drives full speed ahead without a pause, over gRPC, and reports what it sees of the camera `front`.
type lookout struct {
	robot *harness.Robot
	wire  *harness.Wire

	mu     sync.Mutex
	seen   time.Time                // when the picture was captured that came last
	report *controlv1.CommandReport // of the last command
}

// startLookout starts a robot whose driver must see, with more keys of the section `drive:`, and drives it until the
// test ends.
func startLookout(tb testing.TB, keys string) *lookout {
	tb.Helper()
	s := &lookout{wire: harness.StartWire(tb)}
	s.robot = harness.StartRobot(tb, harness.Options{
		Devices: "front: {kind: camera, source: test, width: 320, height: 240, fps: 30}\n" + s.wire.Device(),
		Drive:   `{device: motors, keys: {left: {forward: 200}, right: {forward: 200}}, see: front` + keys + `}`,
	})
	s.robot.Device(tb, "front")
	motors, err := grpc.NewClient(s.robot.Device(tb, "motors").GRPCAddress,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := bus.Connect(bus.Config{URL: s.robot.NATS, Name: "lookout"})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l, err := lease.Acquire(ctx, motors, "lookout")
	if err != nil {
		tb.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { s.look(ctx, conn.Conn, l) })
	running.Go(func() { s.drive(ctx, l, serialv1.NewSerialServiceClient(motors)) })
	tb.Cleanup(func() {
		cancel()
		running.Wait()
		l.Close()
		conn.Close()
		_ = motors.Close()
	})
	return s
}

// look takes the pictures of the camera, whichever life it is in.
func (s *lookout) look(ctx context.Context, conn *bus.Conn, l *lease.Lease) {
	camera := bus.Address{Robot: "e2e", Device: "front"}
	pictures, err := bus.Subscribe[*mediav1.VideoFrame](conn, camera.Out("video-jpeg"), stream.Latest())
	if err != nil {
		return // nothing is seen, and the test fails
	}
	defer pictures.Close()
	defer conn.Hold(camera, "video-jpeg", "lookout").Close()
	for f, err := range pictures.All(ctx) {
		if err != nil {
			return
		}
		l.Saw(f.GetCaptureTime())
		s.mu.Lock()
		s.seen = f.GetCaptureTime().AsTime()
		s.mu.Unlock()
	}
}

// drive sends commands thirty times a second, whatever is said of them.
func (s *lookout) drive(ctx context.Context, l *lease.Lease, motors serialv1.SerialServiceClient) {
	tick := time.NewTicker(time.Second / 30)
	defer tick.Stop()
	for command := l.Neutral(); ; command = `{"left": 200, "right": 200}` {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		header, err := l.Header(ctx)
		if err != nil {
			return
		}
		r, err := motors.WriteMessage(ctx, &serialv1.WriteMessageRequest{
			Body: &serialv1.WriteMessageRequest_Json{Json: command}, Control: header})
		l.Heard(r.GetReport(), err)
		report := r.GetReport()
		if err != nil {
			report = lease.Report(err)
		}
		s.mu.Lock()
		s.report = report
		s.mu.Unlock()
	}
}

// last is when the picture was captured that was seen last, and what became of the last command.
func (s *lookout) last() (seen time.Time, report *controlv1.CommandReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.report
}

// await waits until full speed is on the wire.
func (s *lookout) await(tb testing.TB) {
	tb.Helper()
	s.wire.AwaitMotion(tb, time.Now(), "full speed", full)
}

// awaitBlind waits until commands are refused because their driver is blind.
func (s *lookout) awaitBlind(tb testing.TB) {
	tb.Helper()
	harness.Until(tb, "the driver is blind", func() error {
		if _, r := s.last(); r.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_BLIND {
			return fmt.Errorf("the last command: %v", r)
		}
		return nil
	})
}

// TestBlindDriver: when the camera stands still or dies, the motors are slowed and stop though commands keep coming,
// and turn again when there are pictures again.
func TestBlindDriver(t *testing.T) {
	s := startLookout(t, ", blind: {slow: 500ms, stop: 3s}")
	motors := s.robot.Device(t, "motors")
	s.await(t)

	resume := harness.Freeze(t, s.robot.Device(t, "front").PID)
	frozen := time.Now()
	stopped := s.wire.AwaitStill(t, frozen, quiet)
	s.awaitBlind(t)
	slowed := 0
	for _, m := range s.wire.Motions(frozen) {
		if m.Left != m.Right {
			t.Errorf("the direction changed: %d/%d", m.Left, m.Right)
		}
		if m.Left > 0 && m.Left < 200 {
			slowed++
		}
	}
	if slowed == 0 {
		t.Error("it was never slowed")
	}
	s.wire.MustStayStill(t, stopped)
	if n := s.robot.Metric(t, motors, "waldo_control_commands_total", `verdict="blind"`); n == 0 {
		t.Error("no command counts as one of a blind driver")
	}
	resume()
	s.await(t)

	crashed := time.Now()
	harness.Crash(t, s.robot.Device(t, "front").PID)
	harness.Until(t, "the camera is back", func() error {
		if seen, _ := s.last(); !seen.After(crashed) {
			return fmt.Errorf("the last picture is from %v before the crash", crashed.Sub(seen))
		}
		return nil
	})
	s.await(t)
	if n := s.wire.Broken(); n > 0 {
		t.Errorf("%d bytes on the wire belong to no command", n)
	}
}

// TestNobodyMustSee: with `blind: off`, and without `see`, a driver needs no pictures.
func TestNobodyMustSee(t *testing.T) {
	s := startLookout(t, ", blind: off")
	s.await(t)
	resume := harness.Freeze(t, s.robot.Device(t, "front").PID)
	defer resume()
	s.await(t)
}
