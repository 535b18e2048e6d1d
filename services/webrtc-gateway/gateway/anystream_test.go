package gateway_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
)

// probe is a device of a kind that the gateway does not know; the test is its driver.
type probe struct {
	process *device.Process
	numbers *device.Out[*wrapperspb.DoubleValue]
	texts   *device.Out[*structpb.Struct]
}

func (w *world) probe() *probe {
	w.t.Helper()
	p := &probe{}
	var err error
	p.process, err = device.Start(device.Kind[struct{}]{Name: "probe", Version: "1.0.0",
		New: func(kit *device.Kit, _ struct{}) (device.Driver, error) {
			p.numbers = device.NewOut[*wrapperspb.DoubleValue](kit, "numbers", device.OutOptions{})
			p.texts = device.NewOut[*structpb.Struct](kit, "texts", device.OutOptions{})
			return idle{}, nil
		}}, device.Settings{Robot: "demo", Device: "lab", NATS: w.bus.URL()}, struct{}{}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.process.Stop)
	w.eventually("the gateway knows the probe", func() bool { return strings.Contains(w.get("devices"), `"lab"`) })
	return p
}

type idle struct{}

func (idle) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// frameOf reads what comes on the channel of a stream.
func frameOf(t *testing.T, f frame) *signalingv1.StreamFrame {
	t.Helper()
	return decode(t, f.data, &signalingv1.StreamFrame{})
}

// TestStreamsOfAnyType: messages of types that the gateway was not built for reach a peer, whatever their JSON is, and
// 0 is not left out.
func TestStreamsOfAnyType(t *testing.T) {
	w := newWorld(t, nil)
	lab := w.probe()
	channels := w.session(0).channels(nil, "waldo.stream/lab/numbers", "waldo.stream/lab/texts")
	w.eventually("both are held", func() bool { return lab.numbers.Held() && lab.texts.Held() })
	for _, want := range []float64{21.5, 0} {
		lab.numbers.Publish(wrapperspb.Double(want))
		if v := frameOf(t, channels[0].next()).GetValue(); v == nil || v.GetNumberValue() != want {
			t.Errorf("%v, want %v", v, want)
		}
	}
	text, err := structpb.NewStruct(map[string]any{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	lab.texts.Publish(text)
	if m := frameOf(t, channels[1].next()).GetMessage(); !proto.Equal(m, text) {
		t.Errorf("%v, want %v", m, text)
	}
}

// TestUnreadableMessages: a peer is told once of messages that it cannot get, one that comes later too, and the others
// still come.
func TestUnreadableMessages(t *testing.T) {
	w := newWorld(t, nil)
	lab := w.probe()
	conn, err := bus.Connect(bus.Config{URL: w.bus.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	first := w.session(0).channels(nil, "waldo.stream/lab/texts")[0]
	w.eventually("it is held", func() bool { return lab.texts.Held() })
	large, err := structpb.NewStruct(map[string]any{"a": strings.Repeat("b", 70_000)})
	if err != nil {
		t.Fatal(err)
	}
	lab.texts.Publish(large)
	lab.texts.Publish(large)
	if e := frameOf(t, first.next()).GetError(); e.GetCode() != "FAILED_PRECONDITION" ||
		!strings.Contains(e.GetMessage(), "more than the 65436 bytes") {
		t.Errorf("a large message: %v", e)
	}
	kit := lab.process.Kit()
	for range 2 {
		if err := conn.PublishAs(kit.Epoch(), kit.Address().Out("texts"), &messagev1.Message{}); err != nil {
			t.Fatal(err)
		}
	}
	const says = "of the type waldo.message.v1.Message, cannot be read"
	if e := frameOf(t, first.next()).GetError(); e.GetCode() != "FAILED_PRECONDITION" ||
		!strings.Contains(e.GetMessage(), says) {
		t.Errorf("an unknown type: %v", e)
	}
	second := w.session(0).channels(nil, "waldo.stream/lab/texts")[0]
	if e := frameOf(t, second.next()).GetError(); !strings.Contains(e.GetMessage(), says) {
		t.Errorf("who comes later: %v", e)
	}
	lab.texts.Publish(&structpb.Struct{})
	for _, c := range []*channel{first, second} {
		if m := frameOf(t, c.next()); m.GetMessage() == nil {
			t.Errorf("afterwards: %v", m)
		}
	}
}
