package replay_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/services/replay/replay"
)

// TestOwnKind replays a device of a kind that no program here knows: over the bus and gRPC, with jumps.
func TestOwnKind(t *testing.T) {
	r := newRig(t)
	p, conn := r.start(t, record(t), "thermo")
	if d := p.Kit().Device(); d.GetKind() != "thermometer" || d.GetAttributes()["chip"] != "bme280" ||
		d.GetAttributes()["replay"] != "drive.mcap" || d.GetAttributes()["recorded_version"] != "3.1.4" ||
		len(d.GetStreams()) != 1 || d.GetStreams()[0].GetMessageType() != "acme.v1.Reading" {
		t.Errorf("it is announced as %v", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	messages, err := bus.SubscribeRaw(r.conn.Conn, p.Kit().Address().Out("readings"), stream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Close()
	defer r.conn.Hold(p.Kit().Address(), "readings", "test").Close()
	epochs := map[int64]bool{7: true}
	// next returns what comes after a jump: the epochs of two jumps differ.
	next := func(from float64) {
		t.Helper()
		for {
			m, err := messages.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if epoch, degrees := celsius(t, "Reading", m.Data); degrees == from && !epochs[epoch] {
				epochs[epoch] = true
				return
			}
		}
	}
	next(0) // it is paused at the beginning
	r.seek(t, 30*second)
	next(30)
	for played := false; !played; { // until ctx ends: what a busy machine holds up goes on as after a jump
		r.seek(t, 10*second)
		next(10)
		r.change(t, func(c *play.Clock) { c.Playing = true })
		played = true
		for want := 10.1; want < 12 && played; want += 0.1 {
			m, err := messages.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			epoch, degrees := celsius(t, "Reading", m.Data)
			if played = epochs[epoch] && math.Abs(degrees-want) < 0.01; !played {
				t.Logf("%v °C came in place of %v", degrees, want)
			}
		}
		r.change(t, func(c *play.Clock) { c.Playing = false })
	}
	callThermometer(ctx, t, conn)
}

// callThermometer calls all methods of the thermometer.
func callThermometer(ctx context.Context, t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	file := acme(t)
	empty := dynamicpb.NewMessage(file.Messages().ByName("Empty"))
	answer := dynamicpb.NewMessage(file.Messages().ByName("Reading"))
	if err := conn.Invoke(ctx, "/acme.v1.Thermometer/ReadNow", empty, answer); err != nil {
		t.Error(err)
	}
	data, _ := proto.Marshal(answer)
	if epoch, degrees := celsius(t, "Reading", data); epoch == 7 || degrees < 11.8 {
		t.Errorf("now it has %v °C of epoch %d", degrees, epoch)
	}
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/acme.v1.Thermometer/Watch")
	if err != nil {
		t.Fatal(err)
	}
	first := dynamicpb.NewMessage(file.Messages().ByName("WatchResponse"))
	if s.SendMsg(empty) != nil || s.CloseSend() != nil || s.RecvMsg(first) != nil {
		t.Fatal("Watch fails")
	}
	data, _ = proto.Marshal(first)
	if _, degrees := celsius(t, "WatchResponse", data); degrees < 11.8 {
		t.Errorf("who watches sees %v °C first", degrees)
	}
	refused := conn.Invoke(ctx, "/acme.v1.Thermometer/Heat", empty, empty)
	melt, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/acme.v1.Thermometer/Melt")
	if err != nil || melt.SendMsg(empty) != nil || melt.CloseSend() != nil {
		t.Fatal("Melt cannot be called")
	}
	for method, err := range map[string]error{"Heat": refused, "Melt": melt.RecvMsg(empty)} {
		if status.Code(err) != codes.FailedPrecondition ||
			!strings.Contains(err.Error(), "thermo is replayed from drive.mcap") {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// TestActuator: a board that was driven tells its state, and cannot be driven or stopped; what it was sent is not sent
// again.
func TestActuator(t *testing.T) {
	r := newRig(t)
	p, conn := r.start(t, record(t), "motors")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sent, err := bus.SubscribeRaw(r.conn.Conn, p.Kit().Address().In("tx"), stream.DropOldest(10))
	if err != nil {
		t.Fatal(err)
	}
	defer sent.Close()
	r.change(t, func(c *play.Clock) { c.Playing, c.Speed = true, 10 })
	overGRPC := controlv1.NewControlServiceClient(conn)
	overBus := controlv1.NewControlServiceClient(r.conn.Client(p.Kit().Address()))
	watch, err := overGRPC.WatchControl(ctx, &controlv1.WatchControlRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		s, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if s.GetState().GetClock().AsDuration() >= 3*second && s.GetState().GetEpoch() != 9 {
			break
		}
	}
	if s, err := overBus.GetControl(ctx, &controlv1.GetControlRequest{}); err != nil ||
		s.GetState().GetClock().AsDuration() < 3*second {
		t.Errorf("its state is %v, %v", s, err)
	}
	serial := serialv1.NewSerialServiceClient(conn)
	for name, call := range map[string]func() error{
		"acquire": func() error { _, err := overGRPC.Acquire(ctx, &controlv1.AcquireRequest{}); return err },
		"take":    func() error { _, err := overBus.Take(ctx, &controlv1.TakeRequest{}); return err },
		"e-stop":  func() error { _, err := overBus.EStop(ctx, &controlv1.EStopRequest{}); return err },
		"clear":   func() error { _, err := overGRPC.ClearEStop(ctx, &controlv1.ClearEStopRequest{}); return err },
		"write":   func() error { _, err := serial.WriteMessage(ctx, &serialv1.WriteMessageRequest{}); return err },
		"connect": func() error {
			s, err := serial.Connect(ctx)
			if err == nil {
				_, err = s.Recv()
			}
			return err
		},
	} {
		if err := call(); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "cannot be driven") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m, came := sent.TryNext(); came {
		t.Errorf("what the board was sent is sent again: %v", m)
	}
}

func TestValidate(t *testing.T) {
	good := record(t)
	for name, c := range map[string]struct {
		config replay.Config
		want   string
	}{
		"good":    {replay.Config{Files: []string{good}, As: "motors", Player: "player"}, ""},
		"no file": {replay.Config{As: "motors", Player: "player"}, "files: is missing"},
		"no device": {replay.Config{Files: []string{good}, As: "arm", Player: "player"},
			`as: the recording has no device "arm"; it has motors, thermo`},
		"missing": {replay.Config{Files: []string{good + "x"}, As: "motors", Player: "player"}, "no such file"},
		"player":  {replay.Config{Files: []string{good}, As: "motors", Player: "The Player"}, "player"},
	} {
		err := c.config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
