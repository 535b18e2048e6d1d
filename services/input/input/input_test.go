package input

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	linux "github.com/holoplot/go-evdev"
	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/services/input/reports"
	"github.com/waldo-robot/waldo/services/input/source"
)

// startToy starts a device whose toy is plugged in and open.
func startToy(t testing.TB, change func(*Config)) (*world, *toy) {
	t.Helper()
	toy, config := &toy{}, Defaults()
	toy.plug()
	if change != nil {
		change(&config)
	}
	w := start(t, KindOf(toy.open), config)
	w.await(t, ready)
	return w, toy
}

// lines are events in a form that is easy to compare.
func lines(events []*inputv1.Event) (list []string) {
	for _, e := range events {
		list = append(list, fmt.Sprintf("%s %d %.3g", e.GetName(), e.GetValue(), e.GetNormalized()))
	}
	return list
}

func check(t *testing.T, what string, got []*inputv1.Event, want ...string) {
	t.Helper()
	if !slices.Equal(lines(got), want) {
		t.Errorf("%s: got %q, want %q", what, lines(got), want)
	}
}

// follow applies a report to the known state, as a reader does.
func follow(known map[string]int32, events []*inputv1.Event) {
	for _, e := range events {
		known[e.GetName()] = e.GetValue()
		if e.GetKind() == inputv1.EventKind_EVENT_KIND_KEY && e.GetValue() == 0 {
			delete(known, e.GetName())
		}
	}
}

func from(s *inputv1.State) map[string]int32 {
	known := map[string]int32{}
	follow(known, s.GetKeys())
	follow(known, s.GetAxes())
	return known
}

// TestStateAndReportsFit has readers join while keys are pressed and released as fast as possible. A
// reader that follows the reports from its state on knows what all others know.
func TestStateAndReportsFit(t *testing.T) {
	w, toy := startToy(t, nil)
	const count, last = 20, 1000 // fewer reports than a reader may fall behind
	var readers sync.WaitGroup
	finals := make(chan map[string]int32, count)
	come := make(chan struct{}, count)
	for range count {
		readers.Go(func() {
			<-come
			known, err := followTo(t.Context(), w.input, last)
			if err != nil {
				t.Error(err)
			}
			finals <- known
		})
	}
	for i := int32(1); i <= last; i++ { // report 0 was the one at opening
		if i%30 == 0 {
			toy.lose(key(linux.BTN_EAST, i/30%2))
		} else {
			toy.send(key(linux.BTN_SOUTH+linux.EvCode(i%7), i/7%2), abs(linux.ABS_X, i%100))
		}
		if i%(last/count) == 0 {
			come <- struct{}{}
		}
	}
	readers.Wait()
	state, err := w.input.GetState(t.Context(), &inputv1.GetStateRequest{})
	must(t, err)
	want := fmt.Sprint(from(state.GetState()))
	for range count {
		if got := fmt.Sprint(<-finals); got != want {
			t.Errorf("a reader ends with %v, the device with %v", got, want)
		}
	}
	if state.GetState().GetSequence() != last {
		t.Errorf("the device ends at report %d", state.GetState().GetSequence())
	}
}

// followTo reads the state and the reports after it up to one, and returns the state known then.
func followTo(ctx context.Context, c inputv1.InputServiceClient, last int64) (known map[string]int32, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := c.StreamReports(ctx, &inputv1.StreamReportsRequest{})
	if err != nil {
		return nil, err
	}
	first, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	state := first.GetState()
	known = from(state)
	for at := state.GetSequence() + 1; at <= last; at++ {
		report, err := (&reader{stream}).report()
		if err != nil {
			return nil, err
		}
		if report.GetSequence() != at || report.GetEpoch() != state.GetEpoch() {
			return nil, fmt.Errorf("report %d of epoch %d where %d is due", report.GetSequence(), report.GetEpoch(), at)
		}
		follow(known, report.GetEvents())
	}
	return known, nil
}

func TestSlowReaderIsEnded(t *testing.T) {
	w, toy := startToy(t, nil)
	slow, state := w.stream(t)
	other, _ := w.stream(t)
	const flood, batch = 4 * reports.Queue, 16 // more than the queue and the connection hold
	ended := 1.0
	for range flood / batch {
		sent := time.Now()
		for i := range int32(batch) {
			toy.send(key(linux.BTN_SOUTH, i%2))
		}
		for range batch {
			_, err := other.report()
			if status.Code(err) == codes.ResourceExhausted && time.Since(sent) > inflight.MaxWait {
				ended++ // the machine stood still for so long that this one counts as slow, too
				other, _ = w.stream(t)
				break
			}
			must(t, err)
		}
	}
	got := 0
	for at := state.GetSequence(); ; got++ {
		step, err := slow.Recv()
		if err != nil {
			if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "start from the state") {
				t.Errorf("ended with %v", err)
			}
			break
		}
		if at++; step.GetReport().GetSequence() != at {
			t.Fatalf("report %d where %d is due", step.GetReport().GetSequence(), at)
		}
	}
	if got >= flood {
		t.Error("it was not slow")
	}
	if n := w.metric(t, "waldo_input_slow_readers_total"); n != ended {
		t.Errorf("%v slow readers are counted, %v were ended", n, ended)
	}
	if again, state := w.stream(t); state.GetSequence() != flood { // report 0 was the one at opening
		t.Errorf("called again: %v %v", again, state)
	}
}

func TestUnplugReleasesEverything(t *testing.T) {
	w, toy := startToy(t, nil)
	stream, _ := w.stream(t)
	for range 2 {
		toy.send(key(linux.BTN_SOUTH, 1), key(linux.KEY_A, 1), abs(linux.ABS_X, -100), abs(linux.ABS_Z, 200))
		check(t, "sent", stream.next(t).GetEvents(), "BTN_SOUTH 1 1", "KEY_A 1 1", "ABS_X -100 -1", "ABS_Z 200 1")
		toy.unplug()
		gone := stream.next(t)
		check(t, "unplugged", gone.GetEvents(), "KEY_A 0 0", "BTN_SOUTH 0 0", "ABS_X 0 0", "ABS_Z 0 0")
		if !gone.GetResync() {
			t.Error("that report is not a resync")
		}
		w.await(t, away)
		_, late := w.stream(t) // calls are accepted while it is away
		check(t, "keys while away", late.GetKeys())
		check(t, "axes while away", late.GetAxes(), "ABS_X 0 0", "ABS_Z 0 0")
		toy.plug()
		back := stream.next(t)
		check(t, "plugged in", back.GetEvents(), "KEY_A 1 1", "BTN_SOUTH 1 1", "ABS_X -100 -1", "ABS_Z 200 1")
		if !back.GetResync() || back.GetSequence() != gone.GetSequence()+1 {
			t.Errorf("came back with %v after %d", back, gone.GetSequence())
		}
		w.await(t, ready)
	}
	if n := w.metric(t, `waldo_input_resyncs_total{reason="away"}`); n != 2 {
		t.Errorf("%v times away are counted", n)
	}
}

func TestAwayFromTheStart(t *testing.T) {
	toy := &toy{}
	w := start(t, KindOf(toy.open), Defaults())
	w.await(t, away)
	if reason := w.process.Kit().Device().GetStateReason(); !strings.Contains(reason, "/dev/input/event7") {
		t.Errorf("away because %q", reason)
	}
	await(t, "on the bus", func() bool {
		_, err := w.onBus.ListInputs(t.Context(), &inputv1.ListInputsRequest{})
		return err == nil
	})
	for name, c := range map[string]inputv1.InputServiceClient{"gRPC": w.input, "bus": w.onBus} {
		_, input := c.GetInput(t.Context(), &inputv1.GetInputRequest{})
		_, state := c.GetState(t.Context(), &inputv1.GetStateRequest{})
		for _, err := range []error{input, state} {
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "/dev/input/event7") {
				t.Errorf("%s while away: %v", name, err)
			}
		}
		if _, err := c.ListInputs(t.Context(), &inputv1.ListInputsRequest{}); err != nil {
			t.Errorf("%s: ListInputs while away: %v", name, err)
		}
	}
	stream, state := w.stream(t)
	if state.GetSequence() != -1 || len(state.GetKeys())+len(state.GetAxes()) != 0 {
		t.Errorf("the state before anything was there: %v", state)
	}
	toy.plug()
	first := stream.next(t)
	check(t, "first report", first.GetEvents(), "ABS_X 0 0", "ABS_Z 0 0")
	if first.GetSequence() != 0 || !first.GetResync() {
		t.Errorf("first report: %v", first)
	}
}

func TestUnaryCalls(t *testing.T) {
	w, toy := startToy(t, nil)
	toy.send(key(linux.BTN_SOUTH, 1), abs(linux.ABS_X, 55))
	await(t, "on the bus", func() bool {
		_, err := w.onBus.GetInput(t.Context(), &inputv1.GetInputRequest{})
		return err == nil
	})
	for name, c := range map[string]inputv1.InputServiceClient{"gRPC": w.input, "bus": w.onBus} {
		t.Run(name, func(t *testing.T) {
			got, err := c.GetInput(t.Context(), &inputv1.GetInputRequest{})
			want := &inputv1.GetInputResponse{
				Input: &inputv1.InputInfo{Path: "/dev/input/event7", Name: "Toy pad", Kind: "gamepad", Id: "1234:abcd"},
				Axes: []*inputv1.Axis{
					{Code: 0, Name: "ABS_X", Minimum: -100, Maximum: 100, DeadZone: 10, Centered: true},
					{Code: 2, Name: "ABS_Z", Minimum: 0, Maximum: 200}},
			}
			if err != nil || !proto.Equal(got, want) {
				t.Errorf("GetInput: %v %v, want %v", got, err, want)
			}
			state, err := c.GetState(t.Context(), &inputv1.GetStateRequest{})
			must(t, err)
			check(t, "keys", state.GetState().GetKeys(), "BTN_SOUTH 1 1")
			check(t, "axes", state.GetState().GetAxes(), "ABS_X 55 0.5", "ABS_Z 0 0")
			if s := state.GetState(); s.GetSequence() != 1 || s.GetEpoch() != w.process.Kit().Epoch() {
				t.Errorf("state: %v", s)
			}
		})
	}
	attributes := w.process.Kit().Device().GetAttributes()
	for key, want := range map[string]string{"driver": "toy", "name": "Toy pad", "path": "/dev/input/event7",
		"id": "1234:abcd", "kind": "gamepad"} {
		if attributes[key] != want {
			t.Errorf("attribute %s is %q, want %q", key, attributes[key], want)
		}
	}
}

func TestEventsAreFiltered(t *testing.T) {
	scan := source.Event{Type: linux.EV_MSC, Code: linux.MSC_SCAN, Value: 30}
	move := source.Event{Type: linux.EV_REL, Code: linux.REL_X, Value: -3}
	all := []source.Event{scan, key(linux.KEY_A, 1), move, abs(linux.ABS_X, 100)}
	zone := 0.5
	for name, tt := range map[string]struct {
		change func(*Config)
		want   []string
		axes   []string
	}{
		"default": {func(*Config) {}, []string{"KEY_A 1 1", "REL_X -3 -3", "ABS_X 100 1"},
			[]string{"ABS_X 100 1", "ABS_Z 0 0"}},
		"keys": {func(c *Config) { c.Events = []string{"key"} }, []string{"KEY_A 1 1"}, nil},
		"all": {func(c *Config) { c.Events = []string{"other", "absolute", "relative", "key"} },
			[]string{"MSC_SCAN 30 30", "KEY_A 1 1", "REL_X -3 -3", "ABS_X 100 1"}, []string{"ABS_X 100 1", "ABS_Z 0 0"}},
		"dead zone": {func(c *Config) { c.Events, c.DeadZone = []string{"absolute"}, &zone }, []string{"ABS_X 100 1"},
			[]string{"ABS_X 100 1", "ABS_Z 0 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, toy := startToy(t, tt.change)
			stream, _ := w.stream(t)
			toy.send(source.Event{Type: linux.EV_SW, Code: linux.SW_LID, Value: 0}) // needed by one of the cases only
			if name == "all" {
				check(t, "a switch", stream.next(t).GetEvents(), "SW_LID 0 0")
			}
			toy.send(all...)
			check(t, "report", stream.next(t).GetEvents(), tt.want...)
			state, err := w.input.GetState(t.Context(), &inputv1.GetStateRequest{})
			must(t, err)
			check(t, "state", state.GetState().GetAxes(), tt.axes...)
			if n := w.metric(t, `waldo_input_events_total{kind="other"}`); (n > 0) != (name == "all") {
				t.Errorf("%v other events are counted", n)
			}
		})
	}
}

// plain is a codec that hands out the bytes received.
type plain struct{}

func (plain) Marshal(v any) ([]byte, error)      { return proto.Marshal(v.(proto.Message)) }
func (plain) Unmarshal(data []byte, v any) error { *v.(*[]byte) = slices.Clone(data); return nil }
func (plain) Name() string                       { return "proto" }

// TestBusAndGRPCCarryTheSameBytes compares the bytes on NATS with the report within those on gRPC.
func TestBusAndGRPCCarryTheSameBytes(t *testing.T) {
	w, toy := startToy(t, nil)
	nc, err := nats.Connect(w.nats.URL())
	must(t, err)
	defer nc.Close()
	onBus, err := nc.SubscribeSync(w.address.Out("events"))
	must(t, err)
	must(t, nc.Flush())
	toy.send(key(linux.BTN_EAST, 1)) // nobody holds the stream, so this is not on the bus, but it has a number
	hold := w.conn.Hold(w.address, "events", "test")
	defer hold.Close()
	await(t, "held", func() bool { return w.metric(t, `waldo_device_holders{stream="events"}`) == 1 })

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := w.dialled.NewStream(ctx, &inputv1.InputService_ServiceDesc.Streams[0],
		inputv1.InputService_StreamReports_FullMethodName, grpc.ForceCodec(plain{}))
	must(t, err)
	must(t, stream.SendMsg(&inputv1.StreamReportsRequest{}))
	must(t, stream.CloseSend())
	var data []byte
	must(t, stream.RecvMsg(&data)) // the state
	toy.send(key(linux.BTN_SOUTH, 1), abs(linux.ABS_X, 77))
	toy.lose(key(linux.BTN_SOUTH, 0))
	toy.unplug()
	for want := int64(2); want <= 4; want++ {
		must(t, stream.RecvMsg(&data))
		field, kind, tag := protowire.ConsumeTag(data)
		overGRPC, n := protowire.ConsumeBytes(data[max(tag, 0):])
		if field != 2 || kind != protowire.BytesType || n < 0 || tag+n != len(data) {
			t.Fatalf("step %x: field %d of type %d", data, field, kind)
		}
		m, err := onBus.NextMsg(patience)
		must(t, err)
		if string(m.Data) != string(overGRPC) {
			t.Errorf("the bus carries %x, gRPC %x", m.Data, overGRPC)
		}
		var report inputv1.Report
		must(t, proto.Unmarshal(m.Data, &report))
		if report.GetSequence() != want || report.GetResync() != (want > 2) || report.GetEpoch() != w.process.Kit().Epoch() {
			t.Errorf("report %v, want sequence %d", &report, want)
		}
		if got := m.Header.Get("Waldo-Type"); got != "waldo.input.v1.Report" {
			t.Errorf("type %q", got)
		}
	}
}

func TestStopEndsStreams(t *testing.T) {
	w, toy := startToy(t, nil)
	stream, _ := w.stream(t)
	toy.send(key(linux.BTN_SOUTH, 1))
	stream.next(t)
	w.process.Stop()
	check(t, "at the end", stream.next(t).GetEvents(), "BTN_SOUTH 0 0")
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable ||
		!strings.Contains(err.Error(), reports.ErrClosed.Error()) {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestSim(t *testing.T) {
	config := Defaults()
	config.Source = "sim"
	w := start(t, Kind(), config)
	w.await(t, ready)
	stream, _ := w.stream(t)
	seen := map[string]bool{}
	for range 60 {
		for _, e := range stream.next(t).GetEvents() {
			seen[e.GetName()] = true
		}
	}
	if !seen["ABS_X"] {
		t.Errorf("in a second of driving there were only %v", seen)
	}
	list, err := w.input.ListInputs(t.Context(), &inputv1.ListInputsRequest{})
	must(t, err)
	if !slices.ContainsFunc(list.GetInputs(), func(i *inputv1.InputInfo) bool {
		return i.GetPath() == "sim" &&
			i.GetKind() == "gamepad"
	}) {
		t.Errorf("the simulated pad is not listed: %v", list)
	}
}

func TestScriptOfSim(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.jsonl")
	must(t, os.WriteFile(file, []byte(`{"after": "1ms", "events": [{"code": "KEY_A", "value": 1}]}`+"\n"+
		`{"after": "1ms", "events": [{"code": "KEY_A", "value": 0}]}`), 0o600))
	config := Defaults()
	config.Source, config.Script = "sim", file
	w := start(t, Kind(), config)
	w.await(t, ready)
	stream, _ := w.stream(t)
	if e := stream.next(t).GetEvents(); len(e) != 1 || e[0].GetName() != "KEY_A" {
		t.Errorf("got %v", e)
	}
	must(t, os.WriteFile(file, []byte("\n{}"), 0o600))
	settings := device.Settings{Robot: "test", Device: "other", NATS: w.nats.URL()}
	if p, err := device.Start(Kind(), settings, config, nil); err == nil ||
		!strings.Contains(err.Error(), "script: "+file+": line 2: ") {
		t.Errorf("started %v with a bad script: %v", p, err)
	}
}

func ExampleKind() {
	config := Defaults()
	config.Source = "sim"
	process, err := device.Start(Kind(), device.Settings{Robot: "demo", Device: "pad"}, config, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer process.Stop()
	fmt.Println(process.Kit().Address())
	// Output: demo/pad
}
