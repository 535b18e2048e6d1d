package serial

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/lease"
	"github.com/waldo-robot/waldo/pkg/ptytest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	stop = "\x00\x00"
	move = "\x01\x02"
)

// pilot drives.
type pilot struct {
	*lease.Lease
	serial serialv1.SerialServiceClient
}

// ways are the ways to reach the device.
func (r *rig) ways() map[string]grpc.ClientConnInterface {
	return map[string]grpc.ClientConnInterface{"gRPC": r.direct, "bus": r.conn.Client(r.Kit().Address())}
}

func (r *rig) acquire(t testing.TB, way string) *pilot {
	t.Helper()
	conn := r.ways()[way]
	l, err := lease.Acquire(t.Context(), conn, "ann")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return &pilot{l, serialv1.NewSerialServiceClient(conn)}
}

// send sends a command, and again if it came too late: on a busy machine that can take longer than a
// command's life.
func (p *pilot) send(ctx context.Context, values string) error {
	for {
		header, err := p.Header(ctx)
		if err != nil {
			return err
		}
		r, err := p.serial.WriteMessage(ctx, jsonMessage(values, header))
		p.Heard(r.GetReport(), err)
		if lease.Report(err).GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED {
			return err
		}
	}
}

func (p *pilot) mustSend(t testing.TB, values string) {
	t.Helper()
	if err := p.send(t.Context(), values); err != nil {
		t.Fatalf("%s: %v", values, err)
	}
}

// drive has the board move, and returns how much it has received by then.
func (p *pilot) drive(t testing.TB, board *ptytest.Terminal) (heard int) {
	t.Helper()
	from := len(board.All())
	p.mustSend(t, "[0, 0]")
	p.mustSend(t, "[1, 2]")
	return board.Await(t, from, move)
}

// TestStopsOnTheWire: whatever ends the driving, the board receives a stop, and nothing but stops after that.
func TestStopsOnTheWire(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *rig, *pilot){
		"the driver falls silent": func(*testing.T, *rig, *pilot) {},
		"the lease is given back": func(_ *testing.T, _ *rig, p *pilot) { p.Close() },
		"another takes the lease": func(t *testing.T, r *rig, _ *pilot) {
			l, err := lease.Take(t.Context(), r.direct, "bob", "")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Close)
		},
		"an e-stop": func(t *testing.T, r *rig, _ *pilot) {
			if _, err := r.control.EStop(t.Context(), &controlv1.EStopRequest{By: "bob"}); err != nil {
				t.Fatal(err)
			}
		},
		"the process is stopped": func(_ *testing.T, r *rig, _ *pilot) { r.Stop() },
	} {
		for _, way := range []string{"gRPC", "bus"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				board := ptytest.New(t)
				r := start(t, board.Path, motors(t))
				r.awaitReady(t)
				p := r.acquire(t, way)
				from := p.drive(t, board)
				end(t, r, p)
				board.Await(t, from, stop)
				board.Await(t, from, stop+stop) // it is sent again
				if rest := strings.ReplaceAll(board.All()[from:], stop, ""); rest != "" && rest != stop[:1] {
					t.Errorf("besides stops the board received % x", rest)
				}
			})
		}
	}
}

// TestWithoutALease: nothing is written, for any caller on any path.
func TestWithoutALease(t *testing.T) {
	board := ptytest.New(t)
	r := start(t, board.Path, motors(t))
	r.awaitReady(t)
	p := r.acquire(t, "gRPC")
	from := p.drive(t, board)
	p.Close()
	board.Await(t, from, stop)
	for name, conn := range r.ways() {
		client := serialv1.NewSerialServiceClient(conn)
		for what, h := range map[string]*controlv1.CommandHeader{"nothing": nil, "a guess": {LeaseEpoch: 1, Sequence: 1}} {
			_, err := client.WriteMessage(t.Context(), jsonMessage("[1, 2]", h))
			if what == "a guess" && status.Code(err) == codes.InvalidArgument {
				continue // it echoes no clock
			}
			report := lease.Report(err)
			if status.Code(err) != codes.FailedPrecondition ||
				report.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE {
				t.Errorf("%s over %s: %v", what, name, err)
			}
		}
	}
	if rest := strings.ReplaceAll(board.All()[from:], stop, ""); rest != "" {
		t.Errorf("the board received % x", rest)
	}
}

// TestEStopOutlastsARestart of the whole process.
func TestEStopOutlastsARestart(t *testing.T) {
	board := ptytest.New(t)
	config := motors(t)
	r := start(t, board.Path, config)
	r.awaitReady(t)
	from := r.acquire(t, "gRPC").drive(t, board)
	if _, err := r.control.EStop(t.Context(), &controlv1.EStopRequest{By: "bob"}); err != nil {
		t.Fatal(err)
	}
	board.Await(t, from, stop)
	r.Stop()
	r = start(t, board.Path, config)
	r.awaitReady(t)
	p := r.acquire(t, "gRPC")
	for _, values := range []string{"[0, 0]", "[1, 2]"} {
		if report := lease.Report(p.send(t.Context(),
			values)); report.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_E_STOPPED {
			t.Errorf("%s: %v", values, report)
		}
	}
	state, err := r.control.GetControl(t.Context(), &controlv1.GetControlRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.control.ClearEStop(t.Context(),
		&controlv1.ClearEStopRequest{Id: state.GetState().GetEStop().GetId()}); err != nil {
		t.Fatal(err)
	}
	if err := p.send(t.Context(), "[1, 2]"); err == nil {
		t.Error("the first command after an e-stop was not neutral, and accepted")
	}
	if strings.Contains(strings.ReplaceAll(board.All()[from:], stop, ""), move) {
		t.Error("the board moved")
	}
	p.drive(t, board)
}

// TestUnplugWhileDriving: the board that returns receives a stop first, and nothing else until its
// driver has sent a neutral command.
func TestUnplugWhileDriving(t *testing.T) {
	board := ptytest.New(t)
	r := start(t, board.Path, motors(t))
	r.awaitReady(t)
	p := r.acquire(t, "bus")
	p.drive(t, board)
	board.Pull()
	r.awaitState(t, devicev1.DeviceState_DEVICE_STATE_AWAY)
	if report := lease.Report(p.send(t.Context(),
		"[1, 2]")); report.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_AWAY {
		t.Errorf("while it is away: %v", report)
	}
	from := len(board.All())
	board.Plug(t)
	r.awaitReady(t)
	if report := lease.Report(p.send(t.Context(), "[1, 2]")); report == nil {
		t.Error("it moved without a neutral command")
	}
	if heard := board.Await(t, from, stop); heard != from+len(stop) {
		t.Errorf("before the stop it received % x", board.All()[from:heard])
	}
	p.drive(t, board)
}

// TestFlood: many drivers, and one that sends as fast as it can; each gets its report, and the board
// receives commands in order.
func TestFlood(t *testing.T) {
	board := ptytest.New(t)
	r := start(t, board.Path, motors(t))
	r.awaitReady(t)
	p := r.acquire(t, "gRPC")
	from := p.drive(t, board)
	call, err := p.serial.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const flood = 5000
	var senders sync.WaitGroup
	defer senders.Wait()
	for range 4 {
		senders.Go(func() {
			for range flood / 10 {
				_, err := r.serial.WriteMessage(t.Context(),
					jsonMessage("[9, 9]", &controlv1.CommandHeader{LeaseEpoch: 5, Sequence: 1}))
				if err == nil {
					t.Error("a stranger drives")
				}
			}
		})
	}
	senders.Go(func() {
		for i := range int64(flood) {
			header, err := p.Header(t.Context())
			if err == nil {
				err = call.Send(&serialv1.ConnectRequest{Id: i, Write: jsonMessage("[1, 2]", header)})
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for results := 0; results < flood; {
		m, err := call.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if result := m.GetResult(); result != nil {
			if result.GetId() != int64(results) || result.GetReport() == nil {
				t.Fatalf("result %d is %v", results, result)
			}
			p.Heard(result.GetReport(), nil)
			results++
		}
	}
	if strings.Contains(board.All()[from:], "\x09") {
		t.Error("a stranger's command was written")
	}
}

// TestNobodyRenews: a holder that falls silent loses the lease.
func TestNobodyRenews(t *testing.T) {
	board := ptytest.New(t)
	r := start(t, board.Path, motors(t))
	r.awaitReady(t)
	if _, err := r.control.Acquire(t.Context(), &controlv1.AcquireRequest{Holder: "zombie"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch, err := r.control.WatchControl(ctx, &controlv1.WatchControlRequest{})
	for err == nil {
		var w *controlv1.WatchControlResponse
		if w, err = watch.Recv(); w.GetState().GetPhase() == controlv1.ControlPhase_CONTROL_PHASE_FREE {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	r.acquire(t, "gRPC").drive(t, board)
}

// TestSimulatedRover drives the one that runs in every demo, and sees it move.
func TestSimulatedRover(t *testing.T) {
	dir := t.TempDir()
	r := start(t, "sim", func(c *Config) {
		c.Read, c.ReadKeys = "<IhhiihHB", []string{"uptime", "left", "right", "x", "y", "heading", "battery", "flags"}
		c.StartByte, c.Checksum = Bytes{0x5a}, "crc8"
		c.Write, c.WriteKeys, c.WriteStart, c.WriteChecksum = "<hh", []string{"left", "right"}, Bytes{0xa5}, "crc8"
		c.Control = &Control{Safe: map[string]any{"left": 0, "right": 0}}
		c.Control.State = dir
	})
	r.awaitReady(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	messages, err := r.serial.StreamMessages(ctx, &serialv1.StreamMessagesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	value := func(key string) int64 {
		t.Helper()
		m, err := messages.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range m.GetMessage().GetRecord().GetFields() {
			if f.GetKey() == key {
				return f.GetValue().GetInteger()
			}
		}
		t.Fatalf("there is no %s in %v", key, m)
		return 0
	}
	p := r.acquire(t, "gRPC")
	p.mustSend(t, `{"left": 0, "right": 0}`)
	for begin := time.Now(); value("x") < 50; {
		p.mustSend(t, `{"left": 200, "right": 200}`)
		if time.Since(begin) > patience {
			t.Fatal("it does not move")
		}
	}
	for value("left") != 0 { // nobody drives any more
	}
	if battery := value("battery"); battery < 6000 || battery > 9000 {
		t.Errorf("battery %d mV", battery)
	}
}

// TestCommandsAreTold: who holds the stream of commands learns what each was, also of one that the board cannot take.
func TestCommandsAreTold(t *testing.T) {
	board := ptytest.New(t)
	r := start(t, board.Path, motors(t))
	r.awaitReady(t)
	records, err := bus.Subscribe[*controlv1.CommandRecord](r.conn.Conn, r.Kit().Address().Out(actuator.Commands),
		stream.DropOldest(100))
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	defer r.conn.Hold(r.Kit().Address(), actuator.Commands, "test").Close()
	p := r.acquire(t, "bus")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	told := func(patience time.Duration) (*controlv1.CommandRecord, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return records.Next(ctx)
	}
	const neutral = `{"left":0,"right":0}`
	first, err := told(0)
	for err != nil { // until the board knows that somebody wants to be told
		p.mustSend(t, "[0, 0]")
		if first, err = told(20 * time.Millisecond); ctx.Err() != nil {
			t.Fatal("nothing is told")
		}
	}
	if first.GetMessageJson() != neutral {
		t.Errorf("%v", first)
	}
	if err := p.send(ctx, "[1.5, 0]"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a message that the board cannot take: %v", err)
	}
	for {
		m, err := told(patience)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.GetError(), "1.5 is not a whole number") {
			break
		}
		if m.GetMessageJson() != neutral {
			t.Errorf("%v", m)
		}
	}
}
