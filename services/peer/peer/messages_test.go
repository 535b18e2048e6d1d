package peer

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
)

func forMessages() Config {
	c := Defaults()
	c.Carries = carriesMessages
	return c
}

// messageStep sends a value, which is a number, a string, a list or an object of such.
func messageStep(v any) *peerv1.PublishRequest {
	value, err := structpb.NewValue(v)
	if err != nil {
		panic(err)
	}
	return &peerv1.PublishRequest{Step: &peerv1.PublishRequest_Message{Message: &peerv1.Message{Value: value}}}
}

func TestMessages(t *testing.T) {
	w := start(t, forMessages())
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	reader, err := w.direct.StreamMessages(ctx, &peerv1.StreamMessagesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	onBus, err := bus.Subscribe[*peerv1.Message](w.conn.Conn, w.address.Out("messages"), stream.DropOldest(100))
	if err != nil {
		t.Fatal(err)
	}
	defer onBus.Close()
	hold := w.conn.Hold(w.address, "messages", "test")
	defer hold.Close()
	w.eventually("the stream is held", func() bool { return hold.Epoch() != 0 })
	p := w.publish("lamp", false).begun()
	w.eventually("ready", w.ready())
	for _, value := range []any{map[string]any{"on": true, "level": 0.5, "list": []any{nil, "x"}}, "text", 3, nil} {
		begun := time.Now()
		p.send(messageStep(value))
		got, err := reader.Recv()
		if err != nil {
			t.Fatal(err)
		}
		same, err := onBus.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		m := got.GetMessage()
		want := messageStep(value).GetMessage().GetValue()
		if !proto.Equal(m.GetValue(), want) || !proto.Equal(m, same) || m.GetEpoch() != w.process.Kit().Epoch() ||
			m.GetTime().AsTime().Before(begun) {
			t.Errorf("%v, on the bus %v, want %v", m, same, want)
		}
	}
	sent := &peerv1.Message{
		Value: structpb.NewBoolValue(true), Time: timestamppb.New(time.Unix(1000, 0)), Epoch: 7, Sequence: 7,
	}
	p.send(&peerv1.PublishRequest{Step: &peerv1.PublishRequest_Message{Message: sent}})
	if got, err := reader.Recv(); err != nil || got.GetMessage().GetTime().AsTime().Unix() != 1000 ||
		got.GetMessage().GetSequence() != 4 {
		t.Errorf("%v, %v", got, err)
	}
	p.cancel()
	w.eventually("the device is away", w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, "the program has gone"))
	// Readers stay, and go on with the next publisher.
	p = w.publish("lamp", false).begun()
	p.wanted(true)
	w.eventually("ready again", w.ready())
	p.send(messageStep("again"))
	if got, err := reader.Recv(); err != nil || got.GetMessage().GetValue().GetStringValue() != "again" {
		t.Errorf("%v, %v", got, err)
	}
	cancel()
	hold.Close()
	p.wanted(false)
}

func TestBadMessages(t *testing.T) {
	w := start(t, forMessages())
	deep := any("end")
	for range maxDepth {
		deep = []any{deep}
	}
	number := func(f float64) *peerv1.PublishRequest { return messageStep([]any{map[string]any{"a": f}}) }
	w.badSteps(map[string]badStep{
		"video": {frameStep(&mediav1.VideoFrame{Data: []byte{1}, Format: &mediav1.VideoFormat{MediaType: media.JPEG}}),
			"carries messages"},
		"no value": {&peerv1.PublishRequest{Step: &peerv1.PublishRequest_Message{}}, "message.value is missing"},
		"no kind": {
			&peerv1.PublishRequest{Step: &peerv1.PublishRequest_Message{Message: &peerv1.Message{Value: &structpb.Value{}}}},
			"without a kind"},
		"NaN":       {number(math.NaN()), "NaN"},
		"infinite":  {number(math.Inf(-1)), "-Inf"},
		"too deep":  {messageStep(deep), "nested more than 30 deep"},
		"too large": {messageStep(strings.Repeat("x", maxMessage)), "1048576"},
		"time": {&peerv1.PublishRequest{Step: &peerv1.PublishRequest_Message{Message: &peerv1.Message{
			Value: structpb.NewNullValue(), Time: &timestamppb.Timestamp{Nanos: -1}}}}, "message.time"},
	})
	if _, err := w.begin(nil, false); status.Code(err) != codes.FailedPrecondition ||
		!strings.Contains(err.Error(), "Publish") {
		t.Errorf("Begin: %v", err)
	}
	deep = deep.([]any)[0]
	p := w.publish("lamp", false).begun()
	p.send(messageStep(deep))
	p.wanted(false)
}

func TestNoMessagesFromVideo(t *testing.T) {
	w := start(t, Defaults())
	reader, err := w.direct.StreamMessages(t.Context(), &peerv1.StreamMessagesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Recv(); status.Code(err) != codes.FailedPrecondition ||
		!strings.Contains(err.Error(), "CameraService") {
		t.Errorf("%v", err)
	}
}

// FuzzMessage: what passes the check can be read as JSON.
func FuzzMessage(f *testing.F) {
	for _, v := range []any{nil, 1, "x", map[string]any{"a": []any{true}}, math.NaN()} {
		data, err := proto.Marshal(messageStep(v).GetMessage())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m peerv1.Message
		if proto.Unmarshal(data, &m) != nil || checkMessage(&m) != nil {
			return
		}
		if _, err := protojson.Marshal(&m); err != nil {
			t.Errorf("%v: %v", &m, err)
		}
	})
}
