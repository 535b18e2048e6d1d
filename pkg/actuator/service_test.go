package actuator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// patience is how long an event may take before a test fails.
const patience = time.Minute

// motor is a whole device with an actuator.
type motor struct {
	*device.Process
	*Actuator
	wire   *wire
	server *embedded.Server
	conn   *bus.ConnCloser
}

func startMotor(t *testing.T, c Config) *motor {
	t.Helper()
	return startMotorIn(t, c, "")
}

// startMotorIn is startMotor with a folder for the audit log.
func startMotorIn(t *testing.T, c Config, folder string) *motor {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	m := &motor{wire: &wire{}, server: server}
	kind := device.Kind[Config]{Name: "motor", Version: "1.0.0",
		New: func(kit *device.Kit, c Config) (device.Driver, error) {
			a, err := New(kit, c, m.wire, `{"left":0}`)
			m.Actuator = a
			return m, err
		}}
	if m.Process, err = device.Start(kind, device.Settings{Robot: "r", Device: "d", NATS: server.URL(), State: folder},
		c, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	await(t, "the hardware is there", func() bool {
		return m.Kit().Device().GetState() == devicev1.DeviceState_DEVICE_STATE_READY
	})
	if m.conn, err = bus.Connect(bus.Config{URL: server.URL()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.conn.Close)
	return m
}

// Run has hardware that is always there.
func (m *motor) Run(ctx context.Context, ready func()) error {
	m.Attach()
	ready()
	<-ctx.Done()
	return nil
}

func configIn(dir string) Config {
	return Config{State: dir}
}

// transports are the ways to call a device, which must not differ.
func (m *motor) transports(t *testing.T) map[string]controlv1.ControlServiceClient {
	t.Helper()
	direct, err := grpc.NewClient(m.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = direct.Close() })
	return map[string]controlv1.ControlServiceClient{
		"gRPC": controlv1.NewControlServiceClient(direct),
		"bus":  controlv1.NewControlServiceClient(m.conn.Client(m.Kit().Address())),
	}
}

func TestErrorsAreTheSameOnEveryTransport(t *testing.T) {
	c := configIn(t.TempDir())
	c.Key = "secret"
	m := startMotor(t, c)
	ctx := t.Context()
	if _, err := m.hold(ctx, "ann"); err != nil {
		t.Fatal(err)
	}
	m.press(actor{name: "ann"}, "test")
	long := strings.Repeat("x", 129)
	for name, tt := range map[string]struct {
		call func(controlv1.ControlServiceClient) error
		code codes.Code
		text string
	}{
		"acquire what another has": {func(c controlv1.ControlServiceClient) error {
			_, err := c.Acquire(ctx, &controlv1.AcquireRequest{Holder: "bob"})
			return err
		}, codes.FailedPrecondition, "ann"},
		"acquire without a name": {func(c controlv1.ControlServiceClient) error {
			_, err := c.Acquire(ctx, &controlv1.AcquireRequest{})
			return err
		}, codes.InvalidArgument, "holder: "},
		"acquire with spaces for a name": {func(c controlv1.ControlServiceClient) error {
			_, err := c.Acquire(ctx, &controlv1.AcquireRequest{Holder: "  "})
			return err
		}, codes.InvalidArgument, "holder: has only spaces"},
		"take with a name that is too long": {func(c controlv1.ControlServiceClient) error {
			_, err := c.Take(ctx, &controlv1.TakeRequest{Holder: long, Key: "secret"})
			return err
		}, codes.InvalidArgument, "holder: has 129 bytes"},
		"take without the key": {func(c controlv1.ControlServiceClient) error {
			_, err := c.Take(ctx, &controlv1.TakeRequest{Holder: "bob"})
			return err
		}, codes.PermissionDenied, "key: "},
		"keep alive without the lease": {func(c controlv1.ControlServiceClient) error {
			_, err := c.KeepAlive(ctx, &controlv1.KeepAliveRequest{LeaseEpoch: 5})
			return err
		}, codes.FailedPrecondition, "lease_epoch: "},
		"clear without the key": {func(c controlv1.ControlServiceClient) error {
			_, err := c.ClearEStop(ctx, &controlv1.ClearEStopRequest{Id: m.State().GetEStop().GetId()})
			return err
		}, codes.PermissionDenied, "key: "},
		"clear another e-stop": {func(c controlv1.ControlServiceClient) error {
			_, err := c.ClearEStop(ctx, &controlv1.ClearEStopRequest{Id: 5, Key: "secret"})
			return err
		}, codes.Aborted, "id: "},
	} {
		for transport, client := range m.transports(t) {
			t.Run(name+"/"+transport, func(t *testing.T) {
				err := tt.call(client)
				if status.Code(err) != tt.code || !strings.Contains(status.Convert(err).Message(), tt.text) {
					t.Errorf("%v, want %v with %q", err, tt.code, tt.text)
				}
			})
		}
	}
}

// hold acquires the lease, and keeps it until the device stops.
func (m *motor) hold(ctx context.Context, holder string) (*controlv1.AcquireResponse, error) {
	s := &service{a: m.Actuator}
	r, err := s.Acquire(ctx, &controlv1.AcquireRequest{Holder: holder})
	if err != nil {
		return nil, err
	}
	alive, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	m.Kit().OnStop(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-alive.Done():
				tick.Stop()
				return
			case <-tick.C:
				_, _ = s.KeepAlive(alive, &controlv1.KeepAliveRequest{LeaseEpoch: r.GetLease().GetEpoch()})
			}
		}
	}()
	return r, nil
}

func TestRefusalCarriesTheReport(t *testing.T) {
	m := startMotor(t, configIn(t.TempDir()))
	_, err := m.Submit(t.Context(), nil, Rigid(false, func(time.Time) { t.Error("carried out") }))
	st := status.Convert(err)
	if st.Code() != codes.FailedPrecondition || len(st.Details()) != 2 {
		t.Fatalf("%v with %v", err, st.Details())
	}
	info, _ := st.Details()[0].(*errdetails.ErrorInfo)
	report, _ := st.Details()[1].(*controlv1.CommandReport)
	if info.GetReason() != "NO_LEASE" || info.GetDomain() != "waldo.control" ||
		report.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE || report.GetClock().AsDuration() <= 0 {
		t.Errorf("details: %v, %v", info, report)
	}
	for field, h := range map[string]*controlv1.CommandHeader{
		"control.sequence": {LeaseEpoch: 1},
		"control.heard":    {LeaseEpoch: 1, Sequence: 1},
	} {
		if _, err := m.Submit(t.Context(), h, Rigid(false, nil)); status.Code(err) != codes.InvalidArgument ||
			!strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestEStopOutlastsARestart(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	m := startMotor(t, configIn(dir))
	for _, c := range m.transports(t) {
		r, err := c.EStop(ctx, &controlv1.EStopRequest{By: "ann", Reason: "smoke"})
		if err != nil || r.GetState().GetPhase() != controlv1.ControlPhase_CONTROL_PHASE_E_STOPPED ||
			!r.GetState().GetEStop().GetPersisted() {
			t.Fatalf("%v, %v", r, err)
		}
	}
	before := m.State().GetEStop()
	m.Stop()

	m = startMotor(t, configIn(dir))
	e := m.State().GetEStop()
	if e.GetId() != before.GetId() || e.GetBy() != "ann" || e.GetReason() != "smoke" || !e.GetPersisted() ||
		!e.GetPressTime().AsTime().Equal(before.GetPressTime().AsTime()) {
		t.Errorf("after a restart: %v, before it %v", e, before)
	}
	p := acquire(t, m.Actuator, m.wire)
	if report, _ := p.send("0"); report.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_E_STOPPED {
		t.Errorf("a command: %v", report)
	}
	r, err := m.transports(t)["bus"].ClearEStop(ctx, &controlv1.ClearEStopRequest{Id: e.GetId(), By: "bob"})
	if err != nil || r.GetState().GetEStop() != nil {
		t.Fatalf("clear: %v, %v", r, err)
	}
	m.Stop()

	m = startMotor(t, configIn(dir))
	if s := m.State(); s.GetEStop() != nil || s.GetPhase() != controlv1.ControlPhase_CONTROL_PHASE_FREE {
		t.Errorf("cleared, and after a restart: %v", s)
	}
}

// TestSameEStopIsWrittenOnce, however often it is pressed; another one, and the same after it was cleared, are written.
func TestSameEStopIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	m := startMotor(t, configIn(dir))
	file := filepath.Join(dir, "r", "d.e-stop.json")
	written := func() os.FileInfo {
		t.Helper()
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	m.press(actor{name: "ann"}, "smoke")
	first, before := written(), m.State().GetEStop()
	for range 3 {
		m.press(actor{name: "ann"}, "smoke")
	}
	if !os.SameFile(written(), first) || !proto.Equal(m.State().GetEStop(), before) {
		t.Errorf("pressed again: %v, before %v", m.State().GetEStop(), before)
	}
	m.do(func(now control.Clock) { m.pressed = now - repetition })
	m.press(actor{name: "ann"}, "smoke")
	if os.SameFile(written(), first) || m.State().GetEStop().GetId() == before.GetId() {
		t.Error("the same e-stop pressed later is not another one")
	}
	if err := m.clear(before.GetId(), actor{name: "bob"}); !errors.Is(err, control.ErrOtherEStop) {
		t.Errorf("cleared by one who cannot have seen that it was pressed again: %v", err)
	}
	first, before = written(), m.State().GetEStop()
	m.press(actor{name: "bob"}, "smoke")
	if os.SameFile(written(), first) || m.State().GetEStop().GetId() == before.GetId() {
		t.Error("another e-stop was not written")
	}
	if err := m.clear(m.State().GetEStop().GetId(), actor{name: "ann"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("cleared, but the file is there: %v", err)
	}
	m.press(actor{name: "bob"}, "smoke")
	m.Stop()
	m = startMotor(t, configIn(dir))
	if e := m.State().GetEStop(); e.GetBy() != "bob" {
		t.Errorf("after a restart: %v", e)
	}
}

// TestPressWhileClearing: one that is pressed while another is being cleared stays latched, or counts as cleared with
// it; the file has the same to say.
func TestPressWhileClearing(t *testing.T) {
	m := startMotor(t, configIn(t.TempDir()))
	for range 200 {
		m.press(actor{name: "ann"}, "smoke")
		id := m.State().GetEStop().GetId()
		var both sync.WaitGroup
		var cleared error
		both.Go(func() { cleared = m.clear(id, actor{name: "bob"}) })
		both.Go(func() { m.press(actor{name: "ann"}, "smoke") })
		both.Wait()
		e := m.State().GetEStop()
		kept := m.latch.load()
		switch {
		case (e == nil) != (kept == nil) || e != nil && kept.ID != e.GetId():
			t.Fatalf("latched: %v, kept: %v", e, kept)
		case cleared != nil && (e == nil || !errors.Is(cleared, control.ErrOtherEStop)):
			t.Fatalf("cleared: %v, latched: %v", cleared, e)
		}
		if err := m.latch.store(nil); err != nil {
			t.Fatal(err)
		}
		m.do(func(now control.Clock) {
			_ = m.arbiter.ClearEStop(now, e.GetId())
			m.eStop = nil
		})
	}
}

// TestRequestsToControlAreSmall, on both ways, whole or in parts.
func TestRequestsToControlAreSmall(t *testing.T) {
	m := startMotor(t, configIn(t.TempDir()))
	for name, client := range m.transports(t) {
		for _, size := range []int{maxRequest, 3 << 20} {
			_, err := client.EStop(t.Context(), &controlv1.EStopRequest{Reason: strings.Repeat("x", size)})
			if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), fmt.Sprint(maxRequest)) {
				t.Errorf("%d bytes over %s: %v", size, name, err)
			}
		}
		if e := m.State().GetEStop(); e != nil {
			t.Errorf("over %s: %v", name, e)
		}
		if _, err := client.Acquire(t.Context(),
			&controlv1.AcquireRequest{Holder: "ann\x1b[2J"}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("an escape sequence as holder over %s: %v", name, err)
		}
		if _, err := client.Take(t.Context(),
			&controlv1.TakeRequest{Holder: "\u202enna"}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("a holder from right to left over %s: %v", name, err)
		}
	}
}

// TestNoLeaseUnderANameTakenTwice: nobody drives while nobody knows which of two would obey, and everybody does when
// one has gone.
func TestNoLeaseUnderANameTakenTwice(t *testing.T) {
	m := startMotor(t, configIn(t.TempDir()))
	client := m.transports(t)["gRPC"]
	acquire := func(holder string) error {
		_, err := client.Acquire(t.Context(), &controlv1.AcquireRequest{Holder: holder})
		return err
	}
	twin, err := device.Start(device.Kind[Config]{Name: "motor", Version: "1.0.0",
		New: func(*device.Kit, Config) (device.Driver, error) {
			return idleDriver{}, nil
		}}, device.Settings{Robot: "r", Device: "d", NATS: m.server.URL()}, Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(twin.Stop)
	await(t, "the twin is noticed", func() bool { return m.Kit().Namesake() != "" })
	if err := acquire("ann"); status.Code(err) != codes.FailedPrecondition ||
		!strings.Contains(err.Error(), twin.GRPCAddress()) {
		t.Errorf("Acquire: %v", err)
	}
	if _, err := client.Take(t.Context(),
		&controlv1.TakeRequest{Holder: "ann"}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Take: %v", err)
	}
	twin.Stop()
	await(t, "the twin is gone", func() bool { return m.Kit().Namesake() == "" })
	if err := acquire("ann"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// idleDriver has hardware that is always there.
type idleDriver struct{}

func (idleDriver) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// await waits for a state that makes no event.
func await(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !reached(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// TestWatch sees each change, on gRPC and on the bus.
func TestWatch(t *testing.T) {
	m := startMotor(t, configIn(t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch, err := m.transports(t)["gRPC"].WatchControl(ctx, &controlv1.WatchControlRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := bus.Subscribe[*controlv1.ControlState](m.conn.Conn, m.Kit().Address().Out("control"),
		stream.DropOldest(100))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	defer m.conn.Hold(m.Kit().Address(), "control", "test").Close()
	await := func(what string, fits func(*controlv1.ControlState) bool) {
		t.Helper()
		for {
			r, err := watch.Recv()
			if err != nil {
				t.Fatalf("%s: gRPC: %v", what, err)
			}
			if fits(r.GetState()) {
				break
			}
		}
		for {
			s, err := sub.Next(ctx)
			if err != nil {
				t.Fatalf("%s: bus: %v", what, err)
			}
			if fits(s) {
				return
			}
		}
	}
	await("free",
		func(s *controlv1.ControlState) bool { return s.GetPhase() == controlv1.ControlPhase_CONTROL_PHASE_FREE })
	p := acquire(t, m.Actuator, m.wire)
	await("held",
		func(s *controlv1.ControlState) bool { return s.GetHolder() == "ann" && s.GetSafeJson() == `{"left":0}` })
	p.mustSend(t, "0")
	await("driving", func(s *controlv1.ControlState) bool {
		return s.GetPhase() == controlv1.ControlPhase_CONTROL_PHASE_DRIVING
	})
	await("deadman",
		func(s *controlv1.ControlState) bool { return s.GetCause() == controlv1.SafeCause_SAFE_CAUSE_DEADMAN })
	m.press(actor{name: "bob"}, "")
	await("e-stop", func(s *controlv1.ControlState) bool { return s.GetEStop().GetBy() == "bob" })
	m.Stop()
	for err == nil {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the watch ended with %v", err)
	}
}
