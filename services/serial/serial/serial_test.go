package serial

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/ptytest"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/serial/port/porttest"
	"github.com/waldo-robot/waldo/services/serial/simboard"
)

// TestSimulationKeepsTheContract of the driver interface.
func TestSimulationKeepsTheContract(t *testing.T) {
	porttest.Run(t, func(t *testing.T) porttest.Line {
		b, err := simboard.Open(simboard.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return porttest.Line{Port: b, Say: func(*testing.T) []byte { return []byte{0x5a} }} // it sends without being asked
	})
}

func lineMessage(text string) *serialv1.WriteMessageRequest {
	return &serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Line{Line: text}}
}

// TestReadAndWrite follows messages both ways, on all transports.
func TestReadAndWrite(t *testing.T) {
	p := ptytest.New(t)
	r := start(t, p.Path, nil)
	r.awaitReady(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	streamed, err := r.serial.StreamMessages(ctx, &serialv1.StreamMessagesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	connected, err := r.serial.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// A result proves that the call, and with it its subscription, has begun; the other began before.
	result := func(id int64) *serialv1.WriteResult {
		t.Helper()
		for {
			m, err := connected.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if m.GetResult() != nil {
				if m.GetResult().GetId() != id {
					t.Errorf("the result is of %d, not of %d", m.GetResult().GetId(), id)
				}
				return m.GetResult()
			}
		}
	}
	for id, text := range []string{"one", "bad\nline", "two"} {
		if err := connected.Send(&serialv1.ConnectRequest{Id: int64(id), Write: lineMessage(text)}); err != nil {
			t.Fatal(err)
		}
		if got := result(int64(id)); (got.GetCode() != 0) != (text == "bad\nline") {
			t.Errorf("%q: %v", text, got)
		}
	}
	if err := connected.Send(&serialv1.ConnectRequest{Id: 7}); err != nil ||
		result(7).GetCode() != int32(codes.InvalidArgument) {
		t.Errorf("no message: %v", err)
	}
	if _, err := r.serial.WriteMessage(ctx, lineMessage("three")); err != nil {
		t.Error(err)
	}
	overBus := serialv1.NewSerialServiceClient(r.conn.Client(r.Kit().Address()))
	if _, err := overBus.WriteMessage(ctx, lineMessage("four")); err != nil {
		t.Error(err)
	}
	p.Await(t, 0, "one\ntwo\nthree\nfour\n")

	held, err := bus.Subscribe[*serialv1.SerialMessage](r.conn.Conn, r.Kit().Address().Out("rx"), stream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	hold := r.conn.Hold(r.Kit().Address(), "rx", "test")
	defer hold.Close()
	r.awaitHeld(t)
	first := sayUntilHeard(t, p, func() (*serialv1.SerialMessage, error) { return held.Next(ctx) })
	fromStream := readUntil(t, first.GetJson(), func() (*serialv1.SerialMessage, error) {
		m,
			err := streamed.Recv()
		return m.GetMessage(), err
	})
	fromConnect := readUntil(t, first.GetJson(), func() (*serialv1.SerialMessage, error) {
		m,
			err := connected.Recv()
		return m.GetMessage(), err
	})
	if !proto.Equal(first, fromStream) || !proto.Equal(first, fromConnect) {
		t.Errorf("bus:\n%v\nStreamMessages:\n%v\nConnect:\n%v", first, fromStream, fromConnect)
	}
	if first.GetEpoch() != r.Kit().Epoch() || first.GetReadTime() == nil || !strings.HasPrefix(first.GetLine(), "hello") {
		t.Errorf("%v", first)
	}
}

// awaitHeld returns when the device knows that somebody holds its messages.
func (r *rig) awaitHeld(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch, err := r.devices.WatchDevice(ctx, &devicev1.WatchDeviceRequest{})
	for err == nil {
		var w *devicev1.WatchDeviceResponse
		if w, err = watch.Recv(); err == nil {
			for _, s := range w.GetDevice().GetStreams() {
				if s.GetName() == "rx" && s.GetHolderCount() > 0 {
					return
				}
			}
		}
	}
	t.Fatal(err)
}

// sayUntilHeard has the board send until a message comes: a subscription to the board may begin a little
// after the hold is known.
func sayUntilHeard(
	t *testing.T, p *ptytest.Terminal, next func() (*serialv1.SerialMessage, error),
) *serialv1.SerialMessage {
	t.Helper()
	speaking, stop := context.WithCancel(t.Context())
	var speaker sync.WaitGroup
	defer speaker.Wait()
	defer stop()
	speaker.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			p.Say(t, fmt.Sprintf("hello %d\n", i))
			select {
			case <-speaking.Done():
				return
			case <-tick.C:
			}
		}
	})
	m, err := next()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func readUntil(t *testing.T, json string, next func() (*serialv1.SerialMessage, error)) *serialv1.SerialMessage {
	t.Helper()
	last := int64(-1)
	for {
		m, err := next()
		if err != nil {
			t.Fatalf("before %s: %v", json, err)
		}
		if m == nil {
			continue
		}
		if m.GetSequence() <= last {
			t.Errorf("message %d after %d", m.GetSequence(), last)
		}
		last = m.GetSequence()
		if m.GetJson() == json {
			return m
		}
	}
}

// TestUnplug: the call stays open, the state gives the reason, and the stream resumes when the board is back.
func TestUnplug(t *testing.T) {
	p := ptytest.New(t)
	r := start(t, p.Path, nil)
	r.awaitReady(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	call, err := r.serial.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.Pull()
		away := r.awaitState(t, devicev1.DeviceState_DEVICE_STATE_AWAY)
		if !strings.Contains(away.GetStateReason(), p.Path) || !strings.Contains(away.GetStateReason(), "away") {
			t.Errorf("away because of %q", away.GetStateReason())
		}
		if _, err := r.serial.WriteMessage(ctx, lineMessage("lost")); status.Code(err) != codes.Unavailable {
			t.Errorf("write while away: %v", err)
		}
		p.Plug(t)
		r.awaitReady(t)
		if _, err := r.serial.WriteMessage(ctx, lineMessage("back")); err != nil {
			t.Errorf("write when back: %v", err)
		}
		p.Await(t, 0, "back\n")
		p.Say(t, "I am back\n")
		readUntil(t, `"I am back"`, func() (*serialv1.SerialMessage, error) {
			m,
				err := call.Recv()
			return m.GetMessage(), err
		})
	}
	if strings.Contains(p.All(), "lost") {
		t.Error("what was refused was written")
	}
}

// TestWriteErrorsAreTheSameOnEveryTransport, and affect nobody else.
func TestWriteErrors(t *testing.T) {
	p := ptytest.New(t)
	r := start(t, p.Path, func(c *Config) { c.Write, c.WriteKeys = "<bb", []string{"left", "right"} })
	r.awaitReady(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for text, want := range map[string]string{
		`{"left": 1}`:                `right: missing`,
		`{"left": 1, "right": 500}`:  `right: `,
		`{"left": 1, "right": "x"}`:  `right: `,
		`{"left": 1, "rihgt": 1}`:    `"rihgt": is not a key of this board`,
		`[1]`:                        `1 values are given`,
		strings.Repeat("[", 100_000): `json: `,
	} {
		for name, client := range map[string]serialv1.SerialServiceClient{
			"gRPC": r.serial, "bus": serialv1.NewSerialServiceClient(r.conn.Client(r.Kit().Address())),
		} {
			_, err := client.WriteMessage(ctx, jsonMessage(text, nil))
			if status.Code(err) != codes.InvalidArgument || !strings.HasPrefix(status.Convert(err).Message(), want) {
				t.Errorf("%.40s over %s: %v, want %s", text, name, err, want)
			}
		}
	}
	if _, err := r.serial.WriteMessage(ctx, jsonMessage("[1, 2]",
		&controlv1.CommandHeader{})); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a header for a board that moves nothing: %v", err)
	}
	if _, err := r.serial.WriteMessage(ctx, jsonMessage("[1, 2]", nil)); err != nil {
		t.Error(err)
	}
	p.Await(t, 0, "\x01\x02")
	if got := p.All(); got != "\x01\x02" {
		t.Errorf("the board received % x", got)
	}
}

func jsonMessage(text string, h *controlv1.CommandHeader) *serialv1.WriteMessageRequest {
	return &serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: text}, Control: h}
}

// TestSlowReader: a reader that never reads affects nobody else.
func TestSlowReader(t *testing.T) {
	p := ptytest.New(t)
	r := start(t, p.Path, nil)
	r.awaitReady(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := r.serial.StreamMessages(ctx, &serialv1.StreamMessagesRequest{}); err != nil { // never read
		t.Fatal(err)
	}
	quick, err := r.serial.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := quick.Send(&serialv1.ConnectRequest{Write: lineMessage("x")}); err != nil {
		t.Fatal(err)
	}
	if m, err := quick.Recv(); err != nil || m.GetResult() == nil {
		t.Fatalf("%v, %v", m, err)
	}
	long := strings.Repeat("x", 1000) + "\n"
	for range 500 {
		p.Say(t, long)
		if m, err := quick.Recv(); err != nil || m.GetDroppedCount() != 0 {
			t.Fatalf("the quick reader: %v, %v", m.GetDroppedCount(), err)
		}
	}
}

// TestStartOnce: a board that announces its start is not written to before that.
func TestStartOnce(t *testing.T) {
	p := ptytest.New(t)
	r := start(t, p.Path, func(c *Config) { c.Read, c.StartByte, c.StartOnce = "<b", Bytes{'!'}, true })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := r.serial.WriteMessage(ctx, lineMessage("early"),
		grpc.WaitForReady(true)); status.Code(err) != codes.Unavailable {
		t.Errorf("before the start: %v", err)
	}
	p.Say(t, "booting … ")
	p.Say(t, "!\x05")
	r.awaitReady(t)
	if _, err := r.serial.WriteMessage(ctx, lineMessage("now")); err != nil {
		t.Error(err)
	}
	p.Await(t, 0, "now\n")
	if strings.Contains(p.All(), "early") {
		t.Error("it was written to before it began")
	}
}

func TestGetPort(t *testing.T) {
	p := ptytest.New(t)
	p.Pull() // needs no board
	r := start(t, p.Path, motors(t))
	got, err := r.serial.GetPort(t.Context(), &serialv1.GetPortRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	want := &serialv1.Port{Name: p.Path, Baud: 115200, Read: "line", Write: "<bb", Actuator: true,
		WriteFields: []*serialv1.FieldInfo{
			{Key: "left", Format: "b", Whole: true, Minimum: -128, Maximum: 127}, {Key: "right", Format: "b", Whole: true,
				Minimum: -128, Maximum: 127},
		}}
	if !proto.Equal(got.GetPort(), want) {
		t.Errorf("%v, want %v", got.GetPort(), want)
	}
}

// TestPortOfAnyBytes: a path may contain any bytes, an API message only UTF-8.
func TestPortOfAnyBytes(t *testing.T) {
	r := start(t, "/dev/no-\xff-such", nil)
	got, err := r.serial.GetPort(t.Context(), &serialv1.GetPortRequest{}, grpc.WaitForReady(true))
	if err != nil || got.GetPort().GetName() != "/dev/no-�-such" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestStop: calls end, and nothing of the device is left (goleak checks that).
func TestStop(t *testing.T) {
	p := ptytest.New(t)
	r := start(t, p.Path, nil)
	r.awaitReady(t)
	call, err := r.serial.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := call.Send(&serialv1.ConnectRequest{Write: lineMessage("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := call.Recv(); err != nil {
		t.Fatal(err)
	}
	r.Stop()
	if _, err := call.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the call ended with %v", err)
	}
}
