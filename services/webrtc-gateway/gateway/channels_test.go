package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// motor is a device with an actuator.
type motor struct{ *actuator.Actuator }

func (motor) Safe(control.Cause) {}

func (m motor) Run(ctx context.Context, ready func()) error {
	m.Attach()
	ready()
	<-ctx.Done()
	return nil
}

// motors starts the device `motors` and waits until the gateway knows of it.
func (w *world) motors() *device.Process {
	w.t.Helper()
	p := w.startMotors()
	w.eventually("the gateway knows the motors",
		func() bool { return strings.Contains(w.get("devices"), `"DEVICE_STATE_READY"`) })
	return p
}

// startMotors starts the device `motors`.
func (w *world) startMotors() *device.Process {
	w.t.Helper()
	kind := device.Kind[actuator.Config]{Name: "motor", Version: "1.0.0",
		New: func(kit *device.Kit, c actuator.Config) (device.Driver, error) {
			var m motor
			var err error
			m.Actuator, err = actuator.New(kit, c, m, `{"speed":0}`)
			return m, err
		}}
	p, err := device.Start(kind, device.Settings{Robot: "demo", Device: "motors", NATS: w.bus.URL()},
		actuator.Config{State: w.t.TempDir()}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.Stop)
	return p
}

// frame is a message that came on a data channel.
type frame struct {
	text bool
	data []byte
}

// channel is a data channel of a peer.
type channel struct {
	t      *testing.T
	dc     *webrtc.DataChannel
	frames chan frame
	closed chan struct{}
}

// channels opens data channels with these labels, and returns them when the session is connected.
func (s *session) channels(init *webrtc.DataChannelInit, labels ...string) []*channel {
	s.t.Helper()
	var all []*channel
	var opened []chan struct{}
	for _, label := range labels {
		dc, err := s.peer.PC.CreateDataChannel(label, init)
		if err != nil {
			s.t.Fatal(err)
		}
		c := &channel{s.t, dc, make(chan frame, 10000), make(chan struct{})}
		open := make(chan struct{})
		dc.OnOpen(func() { close(open) })
		dc.OnClose(func() { close(c.closed) })
		dc.OnMessage(func(m webrtc.DataChannelMessage) { c.frames <- frame{m.IsString, m.Data} })
		all, opened = append(all, c), append(opened, open)
	}
	if s.peer.PC.CurrentRemoteDescription() == nil {
		s.negotiate(nil, nil)
	}
	for i, open := range opened {
		select {
		case <-open:
		case <-time.After(watcher.Timeout):
			s.t.Fatalf("channel %s does not open", labels[i])
		}
	}
	return all
}

func (c *channel) next() frame {
	c.t.Helper()
	select {
	case f := <-c.frames:
		return f
	case <-time.After(watcher.Timeout):
		c.t.Fatalf("nothing comes on %s", c.dc.Label())
		return frame{}
	}
}

// until returns the first frame that fits.
func (c *channel) until(what string, fits func(frame) bool) frame {
	c.t.Helper()
	for {
		if f := c.next(); fits(f) {
			return f
		}
	}
}

func (c *channel) send(text string) {
	c.t.Helper()
	if err := c.dc.SendText(text); err != nil {
		c.t.Fatal(err)
	}
}

// caller calls by whichever way a peer can.
type caller func(*signalingv1.Call) *signalingv1.CallResult

// callers returns both ways of a session.
func (s *session) callers() map[string]caller {
	calls := s.channels(lossy(), "waldo.calls")[0]
	return map[string]caller{
		"channel": func(call *signalingv1.Call) *signalingv1.CallResult {
			calls.send(encode(s.t, call))
			return decode(s.t, calls.next().data, &signalingv1.CallResult{})
		},
		"socket": func(call *signalingv1.Call) *signalingv1.CallResult {
			s.say(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Call{Call: call}})
			return s.result()
		},
	}
}

func lossy() *webrtc.DataChannelInit {
	ordered, retransmits := false, uint16(0)
	return &webrtc.DataChannelInit{Ordered: &ordered, MaxRetransmits: &retransmits}
}

func encode(t *testing.T, m proto.Message) string {
	t.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func decode[M proto.Message](t *testing.T, data []byte, into M) M {
	t.Helper()
	if err := protojson.Unmarshal(data, into); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return into
}

func (s *session) say(m *signalingv1.PeerMessage) {
	s.t.Helper()
	if err := s.socket.Write(context.Background(), websocket.MessageText, []byte(encode(s.t, m))); err != nil {
		s.t.Fatal(err)
	}
}

// result returns the next result of a call on the socket.
func (s *session) result() *signalingv1.CallResult {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	for {
		_, data, err := s.socket.Read(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		if r := decode(s.t, data, &signalingv1.GatewayMessage{}).GetResult(); r != nil {
			return r
		}
	}
}

func request(t *testing.T, m proto.Message) *structpb.Struct {
	t.Helper()
	return decode(t, []byte(encode(t, m)), &structpb.Struct{})
}

const controlService = "waldo.control.v1.ControlService/"

// TestCalls: a peer gets the same answers and errors as one who calls the device itself.
func TestCalls(t *testing.T) {
	w := newWorld(t, nil)
	motors := w.motors()
	conn, err := bus.Connect(bus.Config{URL: w.bus.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	direct := controlv1.NewControlServiceClient(conn.Client(motors.Kit().Address()))
	for way, call := range w.session(0).callers() {
		t.Run(way, func(t *testing.T) {
			r := call(&signalingv1.Call{Id: 7, Device: "motors", Method: controlService + "Acquire",
				Request: request(t, &controlv1.AcquireRequest{Holder: "ann"})})
			granted := decode(t, []byte(encode(t, r.GetResponse())), &controlv1.AcquireResponse{})
			if r.GetId() != 7 || granted.GetLease().GetEpoch() == 0 || granted.GetState().GetHolder() != "ann" {
				t.Fatalf("%v", r)
			}
			refused := call(&signalingv1.Call{Id: 8, Device: "motors", Method: controlService + "Acquire",
				Request: request(t, &controlv1.AcquireRequest{Holder: "bob"})})
			_, want := direct.Acquire(t.Context(), &controlv1.AcquireRequest{Holder: "bob"})
			if e := refused.GetError(); e.GetCode() != "FAILED_PRECONDITION" ||
				e.GetMessage() != status.Convert(want).Message() {
				t.Errorf("%v, want %v", e, want)
			}
			released := call(&signalingv1.Call{Id: 9, Device: "motors", Method: controlService + "Release",
				Request: request(t, &controlv1.ReleaseRequest{LeaseEpoch: granted.GetLease().GetEpoch()})})
			if released.GetResponse() == nil {
				t.Errorf("%v", released)
			}
			for name, tt := range map[string]struct {
				call *signalingv1.Call
				code string
				text string
			}{
				"no method": {&signalingv1.Call{Device: "motors"}, "INVALID_ARGUMENT", "method: "},
				"unknown method": {&signalingv1.Call{Device: "motors", Method: controlService + "Fly"}, "INVALID_ARGUMENT",
					"method: "},
				"a stream": {&signalingv1.Call{Device: "motors", Method: controlService + "WatchControl"},
					"INVALID_ARGUMENT", "method: "},
				"a hold": {&signalingv1.Call{Device: "motors", Method: "waldo.device.v1.DeviceService/HoldStream"},
					"INVALID_ARGUMENT", "method: "},
				"unknown device": {&signalingv1.Call{Device: "motor", Method: controlService + "GetControl"}, "UNAVAILABLE",
					`demo/motor is not running: there is no device "motor"; there are: motors`},
				"no name": {&signalingv1.Call{Device: "a.b", Method: controlService + "GetControl"}, "INVALID_ARGUMENT",
					"device: "},
				"unknown field": {&signalingv1.Call{Device: "motors", Method: controlService + "Acquire",
					Request: object(t, "holdr", "x")}, "INVALID_ARGUMENT", `request: not a waldo.control.v1.AcquireRequest`},
				"not of its kind": {&signalingv1.Call{Device: "motors", Method: "waldo.camera.v1.CameraService/ListFormats"},
					"INVALID_ARGUMENT", "the services are waldo.control.v1.ControlService"},
				"a field is no text": {&signalingv1.Call{Device: "motors", Method: controlService + "Acquire",
					Request: object(t, "holder", 7)}, "INVALID_ARGUMENT", "request: "},
			} {
				tt.call.Id = 5
				if e := call(tt.call).GetError(); e.GetCode() != tt.code || !strings.Contains(e.GetMessage(), tt.text) ||
					e.GetId() != 5 {
					t.Errorf("%s: %v, want %s with %q", name, e, tt.code, tt.text)
				}
			}
		})
	}
}

func object(t *testing.T, key string, value any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(map[string]any{key: value})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGarbageCalls are answered, and floods dropped; the channel goes on.
// A peer may call at once when a channel has opened: its first call is answered like any other.
func TestFirstCallOfAChannel(t *testing.T) {
	w := newWorld(t, nil)
	for range 5 {
		for _, c := range w.session(0).channels(nil, slices.Repeat([]string{"waldo.calls"}, 20)...) {
			c.send("{")
			if e := decode(t, c.next().data, &signalingv1.CallResult{}).GetError(); e.GetCode() != "INVALID_ARGUMENT" {
				t.Errorf("got %v", e)
			}
		}
	}
}

func TestGarbageCalls(t *testing.T) {
	w := newWorld(t, nil)
	w.motors()
	calls := w.session(0).channels(nil, "waldo.calls")[0]
	for _, garbage := range []string{"", "7", "{", `{"id": "x"}`, strings.Repeat("[", 60000)} {
		if calls.send(garbage); garbage == "" {
			continue // pion sends nothing of it
		}
		if e := decode(t, calls.next().data, &signalingv1.CallResult{}).GetError(); e.GetCode() != "INVALID_ARGUMENT" {
			t.Errorf("%.20q: %v", garbage, e)
		}
	}
	if err := calls.dc.Send([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if e := decode(t, calls.next().data, &signalingv1.CallResult{}).GetError(); e.GetCode() != "INVALID_ARGUMENT" {
		t.Errorf("binary: %v", e)
	}
	const flood = 2000
	for i := range flood {
		calls.send(fmt.Sprintf(`{"id": %d, "device": "motors", "method": %q}`, i+1, controlService+"GetControl"))
	}
	// refused without the device, but not before a place is free
	calls.send(fmt.Sprintf(`{"id": %d, "device": "motors", "method": "x"}`, flood+1))
	w.eventually("the flood is over", func() bool {
		calls.send(`{"id": 9999, "device": "motors", "method": "` + controlService + `GetControl"}`)
		return decode(t, calls.until("the last", func(f frame) bool { return true }).data,
			&signalingv1.CallResult{}).GetId() == 9999
	})
}

// TestStreams: what a device publishes reaches every peer, held and put into JSON once.
func TestStreams(t *testing.T) {
	w := newWorld(t, nil)
	motors := w.motors()
	a, b := w.session(0), w.session(0)
	first := a.channels(nil, "waldo.stream/motors/control")[0]
	second := b.channels(nil, "waldo.stream/motors/control")[0]
	for _, c := range []*channel{first, second} {
		f := c.next()
		m := decode(t, f.data, &signalingv1.StreamFrame{})
		if !f.text || m.GetMessage().GetFields()["phase"].GetStringValue() != "CONTROL_PHASE_FREE" {
			t.Errorf("%s", f.data)
		}
	}
	if n := motors.Kit().Device().GetStreams()[0].GetHolderCount(); n != 1 {
		t.Errorf("two peers hold the stream %d times", n)
	}
	if err := first.dc.Close(); err != nil {
		t.Fatal(err)
	}
	second.next()
	if err := second.dc.Close(); err != nil {
		t.Fatal(err)
	}
	w.eventually("the stream is let go of",
		func() bool { return motors.Kit().Device().GetStreams()[0].GetHolderCount() == 0 })
}

// TestGatheredStreams: what a device publishes within some time comes as the lines of one message, whole and in order.
func TestGatheredStreams(t *testing.T) {
	w := newWorld(t, nil)
	w.motors()
	conn, err := bus.Connect(bus.Config{URL: w.bus.URL(), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := w.session(0).channels(nil, "waldo.lines/motors/burst")[0]
	ctx, cancel := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer cancel()
	publishing.Go(func() {
		subject := bus.Address{Robot: "demo", Device: "motors"}.Out("burst")
		for n := time.Duration(1); ctx.Err() == nil; n++ {
			_ = conn.Publish(subject, &controlv1.ControlState{Clock: durationpb.New(n * time.Second)}) // a loss is noticed below
			if n%10 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
	texts, frames, last := 0, 0, 0
	for ; frames < 1000; texts++ {
		f := c.next()
		for line := range bytes.Lines(f.data) {
			m := decode(t, bytes.TrimSuffix(line, []byte("\n")), &signalingv1.StreamFrame{})
			n, _ := strconv.Atoi(strings.TrimSuffix(m.GetMessage().GetFields()["clock"].GetStringValue(), "s"))
			if !f.text || n == 0 || last > 0 && n != last+1 || m.GetDroppedCount() != 0 {
				t.Fatalf("after %d: %s", last, line)
			}
			last, frames = n, frames+1
		}
	}
	if texts > frames/5 {
		t.Errorf("%d messages for %d frames", texts, frames)
	}
}

// TestNoSuchChannel: a channel that cannot be had says why, and is closed.
func TestNoSuchChannel(t *testing.T) {
	w := newWorld(t, nil)
	w.motors()
	wanted := map[string]string{
		"waldo.stream/motor/control": "NOT_FOUND",
		"waldo.stream/motors/":       "INVALID_ARGUMENT",
		"waldo.stream/motors/a.b":    "INVALID_ARGUMENT",
		"waldo.stream/":              "NOT_FOUND",
		"waldo.future":               "INVALID_ARGUMENT",
		"no topic":                   "INVALID_ARGUMENT",
		strings.Repeat("x", 65):      "INVALID_ARGUMENT",
	}
	// All at once: pion gives a new channel the number of one that is still being closed, and then it does not open.
	for _, c := range w.session(0).channels(nil, slices.Collect(maps.Keys(wanted))...) {
		label := c.dc.Label()
		if m := decode(t, c.next().data, &signalingv1.StreamFrame{}); m.GetError().GetCode() != wanted[label] {
			t.Errorf("%s: %v, want %s", label, m, wanted[label])
		}
		select {
		case <-c.closed:
		case <-time.After(watcher.Timeout):
			t.Errorf("%s is not closed", label)
		}
	}
}

// TestTooManyChannels of one peer are closed.
func TestTooManyChannels(t *testing.T) {
	w := newWorld(t, nil)
	var labels []string
	for i := range 32 {
		labels = append(labels, fmt.Sprintf("topic-%d", i))
	}
	s := w.session(0)
	s.channels(nil, labels...)
	one, err := s.peer.PC.CreateDataChannel("too-many", nil)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	one.OnClose(func() { close(closed) })
	select {
	case <-closed:
	case <-time.After(watcher.Timeout):
		t.Error("it is not closed")
	}
}
