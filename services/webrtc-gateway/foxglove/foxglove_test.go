package foxglove_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/foxglove"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

// gauge is a device that publishes what the test has it publish.
type gauge struct {
	out *device.Out[*structpb.Struct]
	in  *device.In[*structpb.Struct]
}

func (r *rig) gauge() *gauge {
	r.Helper()
	g := &gauge{}
	r.device("gauge", "gauge", func(k *device.Kit) device.Driver {
		g.out = device.NewOut[*structpb.Struct](k, "reading", device.OutOptions{})
		g.in = device.NewIn[*structpb.Struct](k, "wish", stream.Latest())
		return g
	})
	return g
}

// Run implements [device.Driver].
func (g *gauge) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

func (g *gauge) publish(r *rig, value float64) {
	r.Helper()
	r.eventually("the stream is held", g.out.Held)
	m, err := structpb.NewStruct(map[string]any{"battery": value})
	if err != nil {
		r.Fatal(err)
	}
	g.out.Publish(m)
}

func TestVideo(t *testing.T) {
	r := start(t)
	cam := r.camera(fakecam.Config{})
	c := r.connect()
	ch := c.subscribe(3, "/front/video")
	if ch.SchemaName != "foxglove.CompressedVideo" {
		t.Fatalf("the schema is %s", ch.SchemaName)
	}
	for i := range 20 {
		at, data := c.message(3)
		m := c.decode(ch, data)
		if key := field(m, "key_frame").Bool(); i == 0 && !key {
			t.Fatal("video does not begin with a key frame")
		}
		if got := field(m, "format").String(); got != "h264" {
			t.Fatalf("the format is %q", got)
		}
		if got := field(m, "frame_id").String(); got != "front" {
			t.Fatalf("the frame's id is %q", got)
		}
		if picture := field(m, "data").Bytes(); len(picture) < 1000 || picture[3] != 1 {
			t.Fatalf("%d bytes, % x", len(picture), picture[:4])
		}
		if age := time.Since(at); age < 0 || age > patience {
			t.Fatalf("it is %v old", age)
		}
	}
	if n := cam.Holders(); n != 1 {
		t.Errorf("%d hold the stream", n)
	}
}

// Two clients share what is read; each begins with a key frame; with the last one the stream is let go of.
func TestShared(t *testing.T) {
	r := start(t)
	cam := r.camera(fakecam.Config{})
	one, other := r.connect(), r.connect(foxglove.Legacy)
	if one.channel("/front/video").ID != other.channel("/front/video").ID {
		t.Error("the channel has two ids")
	}
	for id, c := range []*client{one, other} {
		ch := c.subscribe(uint32(id), "/front/video")
		_, data := c.message(uint32(id))
		if !field(c.decode(ch, data), "key_frame").Bool() {
			t.Errorf("client %d does not begin with a key frame", id)
		}
	}
	if n := cam.Holders(); n != 1 {
		t.Errorf("%d hold the stream, want 1 for both", n)
	}
	one.say(`{"op":"unsubscribe","subscriptionIds":[0]}`)
	other.message(1)
	_ = other.socket.CloseNow()
	r.eventually("the camera is let go of", func() bool { return cam.Holders() == 0 })
	// The first is still there, and can have it again.
	one.subscribe(0, "/front/video")
	one.message(0)
}

// A camera that makes no key frames on request: everything since the last one comes at once.
func TestNoKeyFramesOnRequest(t *testing.T) {
	r := start(t)
	r.camera(fakecam.Config{NeverOnRequest: true})
	one := r.connect()
	ch := one.subscribe(0, "/front/video")
	for range 5 {
		one.message(0)
	}
	other := r.connect()
	other.subscribe(0, "/front/video")
	_, data := other.message(0)
	if m := other.decode(ch, data); !field(m, "key_frame").Bool() || field(m, "sequence").Int() != 0 {
		t.Error("it does not begin with the key frame of long ago")
	}
}

// A device that restarts keeps its channels and subscriptions, and so do clients that connect again.
func TestRestart(t *testing.T) {
	r := start(t)
	cam := r.camera(fakecam.Config{})
	c := r.connect()
	ch := c.subscribe(0, "/front/video")
	_, data := c.message(0)
	first := field(c.decode(ch, data), "epoch").Int()
	cam.Stop()
	r.camera(fakecam.Config{})
	for {
		_, data := c.message(0)
		if m := c.decode(ch, data); field(m, "epoch").Int() != first {
			if !field(m, "key_frame").Bool() {
				t.Error("the new life does not begin with a key frame")
			}
			break
		}
	}
	if len(c.gone) > 0 {
		t.Errorf("channels are gone: %v", c.gone)
	}
	_ = c.socket.CloseNow()
	if again := r.connect().channel("/front/video"); again != ch {
		t.Errorf("after connecting again the channel is %d, it was %d", again.ID, ch.ID)
	}
}

// A camera that does not announce what it carries: the channel is replaced once that is known.
func TestMediaTypeTurnsOut(t *testing.T) {
	r := start(t)
	r.camera(fakecam.Config{Silent: true})
	c := r.connect()
	was := c.subscribe(0, "/front/video")
	if was.SchemaName != "waldo.media.v1.VideoFrame" {
		t.Fatalf("the schema is %s", was.SchemaName)
	}
	c.until("the channel is gone", op("unadvertise"))
	is := c.subscribe(1, "/front/video")
	if is.SchemaName != "foxglove.CompressedVideo" || is.ID == was.ID || !slices.Contains(c.gone, was.ID) {
		t.Fatalf("the schema is %s, the id %d, was %d", is.SchemaName, is.ID, was.ID)
	}
	_, data := c.message(1)
	if m := c.decode(is, data); field(m, "format").String() != "h264" {
		t.Errorf("%v", m)
	}
	_ = c.socket.CloseNow()
	if again := r.connect().channel("/front/video"); again != is {
		t.Errorf("it was forgotten: %s", again.SchemaName)
	}
}

func TestStructsAndStates(t *testing.T) {
	r := start(t)
	c := r.connect()
	g := r.gauge() // comes after the client
	reading := c.subscribe(1, "/gauge/reading")
	if reading.SchemaName != "google.protobuf.Struct" {
		t.Errorf("the schema is %s", reading.SchemaName)
	}
	g.publish(r, 12.5)
	_, data := c.message(1)
	var got structpb.Struct
	unmarshal(t, data, &got)
	if got.AsMap()["battery"] != 12.5 {
		t.Errorf("%v", got.AsMap())
	}
	state := c.subscribe(2, "/gauge")
	_, data = c.message(2)
	if m := c.decode(state, data); state.SchemaName != "waldo.device.v1.Device" || field(m, "name").String() != "gauge" {
		t.Errorf("%s: %v", state.SchemaName, m)
	}
	if _, there := c.channels["/gauge/in/wish"]; there {
		t.Error("what is sent to devices is shown")
	}
}

// A topic is a channel once it has had a message, which is not lost.
func TestTopics(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.channel("/log")
	if err := r.conn.Publish(bus.Topic("rover", "chat"), &messagev1.Message{Topic: "chat", Sender: "test",
		PublishTime: timestamppb.Now(), Body: &messagev1.Message_Text{Text: "hello"}}); err != nil {
		t.Fatal(err)
	}
	ch := c.subscribe(0, "/msg/chat")
	_, data := c.message(0)
	if m := c.decode(ch, data); field(m, "text").String() != "hello" || !strings.HasSuffix(ch.SchemaName, ".Message") {
		t.Errorf("%s: %v", ch.SchemaName, m)
	}
}

// Streams to which nobody has subscribed are left alone.
func TestIdle(t *testing.T) {
	r := start(t)
	cam := r.camera(fakecam.Config{})
	c := r.connect()
	c.channel("/front/video")
	if n := cam.Holders(); n != 0 {
		t.Errorf("%d hold a stream to which nobody has subscribed", n)
	}
}
