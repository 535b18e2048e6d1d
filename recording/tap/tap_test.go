package tap_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits for what must happen.
const patience = 30 * time.Second

// rig is a bus with a connection.
type rig struct {
	url  string
	conn *bus.Conn
	tap  *tap.Tap
	log  *logtest.Text
}

func start(t *testing.T) *rig {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	r := &rig{url: server.URL(), conn: conn.Conn, log: &logtest.Text{}}
	r.tap, err = tap.New(r.conn, "rover", tap.Config{Reader: "test", Log: slog.New(slog.NewTextHandler(r.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.tap.Close)
	return r
}

// gauge is a device with a stream of messages of type M, and one that it accepts.
type gauge[M proto.Message] struct {
	out *device.Out[M]
	in  *device.In[*mediav1.AudioFrame]
}

// run runs it until the test, or the process that is returned, ends.
func (g *gauge[M]) run(t *testing.T, r *rig) *device.Process {
	t.Helper()
	kind := device.Kind[struct{}]{Name: "gauge", Version: "1.0.0",
		New: func(k *device.Kit, _ struct{}) (device.Driver, error) {
			g.out = device.NewOut[M](k, "reading", device.OutOptions{MediaTypes: []string{"video/H264"}})
			g.in = device.NewIn[*mediav1.AudioFrame](k, "speaker", stream.DropOldest(10))
			return g, nil
		}}
	p, err := device.Start(kind, device.Settings{Robot: "rover", Device: "gauge", NATS: r.url}, struct{}{},
		logtest.New(t, slog.LevelWarn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// Run implements [device.Driver].
func (g *gauge[M]) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// publish publishes when the stream is held.
func (g *gauge[M]) publish(t *testing.T, m M) {
	t.Helper()
	awaitThat(t, "the stream is held", g.out.Held)
	g.out.Publish(m)
}

func awaitThat(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// await waits for a list of streams, and returns one of them.
func (r *rig) await(t *testing.T, name string, ok func(tap.Stream) bool) tap.Stream {
	t.Helper()
	deadline := time.After(patience)
	for {
		streams, changed := r.tap.Streams()
		for _, s := range streams {
			if s.Channel.Name() == name && ok(s) {
				return s
			}
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no such stream %s; there are %v", name, names(streams))
		}
	}
}

func names(streams []tap.Stream) (all []string) {
	for _, s := range streams {
		all = append(all, s.Channel.Name())
	}
	return all
}

func anyOf(tap.Stream) bool { return true }

// read opens a stream.
func (r *rig) read(t *testing.T, s tap.Stream) (*tap.Opened, <-chan tap.Message) {
	t.Helper()
	messages := make(chan tap.Message, 100)
	o, err := r.tap.Open(s, stream.DropOldest(100), func(m tap.Message) { messages <- m })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	if err := r.conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return o, messages
}

func next(t *testing.T, messages <-chan tap.Message) tap.Message {
	t.Helper()
	select {
	case m := <-messages:
		return m
	case <-time.After(patience):
		t.Fatal("no message")
		return tap.Message{}
	}
}

func frame(epoch, sequence int64, mediaType string) *mediav1.VideoFrame {
	return &mediav1.VideoFrame{Epoch: epoch, Sequence: sequence, KeyFrame: true,
		CaptureTime: timestamppb.New(time.Unix(7, 0)), Format: &mediav1.VideoFormat{MediaType: mediaType}}
}

// TestStreams: what a device produces, what it is sent and its states are there, byte for byte and with what defines
// them.
func TestStreams(t *testing.T) {
	r := start(t)
	g := &gauge[*mediav1.VideoFrame]{}
	p := g.run(t, r)
	out := r.await(t, "/gauge/reading", anyOf)
	streams, _ := r.tap.Streams()
	if want := []string{"/gauge", "/gauge/in/speaker", "/gauge/reading"}; !slices.Equal(names(streams), want) {
		t.Errorf("%v, want %v", names(streams), want)
	}
	if c := out.Channel; c.Kind != "gauge" || c.Type != "waldo.media.v1.VideoFrame" || c.Media != "video/H264" ||
		out.Epoch != p.Kit().Epoch() {
		t.Errorf("%+v", out)
	}
	_, frames := r.read(t, out)
	sent := frame(1, 5, "video/H264")
	g.publish(t, sent)
	got := next(t, frames)
	if data, _ := proto.Marshal(sent); string(got.Data) != string(data) {
		t.Errorf("%x, want %x", got.Data, data)
	}
	if f := got.Facts; f.Sequence != 5 || !f.Key || f.Captured.Unix() != 7 || got.Channel != out.Channel ||
		got.Epoch != p.Kit().Epoch() {
		t.Errorf("%+v", got)
	}
	g.publish(t, frame(1, 6, "image/jpeg"))
	if c := next(t, frames).Channel; c.Media != "image/jpeg" || c == out.Channel {
		t.Errorf("another media type: %+v", c)
	}
	g.publish(t, frame(1, 7, "video/H264"))
	if c := next(t, frames).Channel; c != out.Channel {
		t.Errorf("the first media type again: %+v", c)
	}
	_, said := r.read(t, r.await(t, "/gauge/in/speaker", anyOf))
	if err := r.conn.Publish(p.Kit().Address().In("speaker"), &mediav1.AudioFrame{Sequence: 3}); err != nil {
		t.Fatal(err)
	}
	if m := next(t, said); m.Facts.Sequence != 3 || m.Channel.Direction != recording.In {
		t.Errorf("%+v", m)
	}
	_, states := r.read(t, r.await(t, "/gauge", anyOf))
	var d devicev1.Device
	if err := proto.Unmarshal(next(t, states).Data, &d); err != nil || d.GetName() != "gauge" {
		t.Errorf("%v, %v", &d, err)
	}
	var definitions devicev1.GetDescriptorsResponse
	if err := proto.Unmarshal(r.tap.Definitions("gauge"), &definitions); err != nil ||
		!slices.Contains(definitions.GetServices(), "waldo.device.v1.DeviceService") ||
		len(definitions.GetFiles().GetFile()) == 0 {
		t.Errorf("%v, %v", &definitions, err)
	}
}

// TestRestart: a stream goes on when its device restarts; the channel is another one only if the definitions are
// others.
func TestRestart(t *testing.T) {
	r := start(t)
	first := &gauge[*wrapperspb.StringValue]{}
	p := first.run(t, r)
	o, messages := r.read(t, r.await(t, "/gauge/reading", anyOf))
	first.publish(t, wrapperspb.String("1"))
	one := next(t, messages)
	p.Stop()
	second := &gauge[*wrapperspb.StringValue]{}
	p = second.run(t, r)
	again := uint64(0)
	two := hear(t, second, wrapperspb.String("2"), messages, &again) // it waits for the definitions
	if two.Channel != one.Channel || two.Epoch == one.Epoch {
		t.Errorf("%+v after %+v", two, one)
	}
	p.Stop()
	third := &gauge[*wrapperspb.Int64Value]{}
	third.run(t, r)
	m := hear(t, third, wrapperspb.Int64(3), messages, &again)
	for m.Epoch == two.Epoch { // sent again, and not lost
		m = next(t, messages)
	}
	if m.Channel.Type != "google.protobuf.Int64Value" {
		t.Errorf("%+v, want the new type", m)
	}
	if o.Unreadable()+o.Lost() > again {
		t.Errorf("%d unreadable, %d lost, of %d that were sent again", o.Unreadable(), o.Lost(), again)
	}
}

// hear publishes a message of a new life and returns the next that comes. A busy machine may not have the definitions
// within the 2 s that a message waits for them, and gets another, which counts in again.
func hear[M proto.Message](t *testing.T, g *gauge[M], m M, messages <-chan tap.Message, again *uint64) tap.Message {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); *again++ {
		g.publish(t, m)
		select {
		case heard := <-messages:
			return heard
		case <-time.After(5 * time.Second):
		}
	}
	t.Fatal("no message")
	return tap.Message{}
}

// TestUnreadable: what does not fit is left out, counted and logged once, and the rest goes on.
func TestUnreadable(t *testing.T) {
	r := start(t)
	g := &gauge[*wrapperspb.StringValue]{}
	p := g.run(t, r)
	o, messages := r.read(t, r.await(t, "/gauge/reading", anyOf))
	for range 2 {
		if err := r.conn.PublishAs(p.Kit().Epoch(), p.Kit().Address().Out("reading"), wrapperspb.Bool(true)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.conn.PublishAs(99, p.Kit().Address().Out("reading"), wrapperspb.String("of nobody")); err != nil {
		t.Fatal(err)
	}
	awaitThat(t, "3 are unreadable", func() bool { return o.Unreadable() == 3 })
	g.publish(t, wrapperspb.String("fine"))
	if m := next(t, messages); string(m.Data) != "\n\x04fine" {
		t.Errorf("%q", m.Data)
	}
	if n := strings.Count(r.log.String(), "messages are left out"); n != 2 {
		t.Errorf("logged %d times:\n%s", n, r.log)
	}
}

// TestTopics: each topic is a channel.
func TestTopics(t *testing.T) {
	r := start(t)
	messages := make(chan tap.Message, 10)
	o, err := r.tap.OpenTopics(stream.DropOldest(10), func(m tap.Message) { messages <- m })
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for _, topic := range []string{"chat", "map", "chat"} {
		if err := r.conn.Publish(bus.Topic("rover", topic), &messagev1.Message{Topic: topic}); err != nil {
			t.Fatal(err)
		}
	}
	one, two, three := next(t, messages), next(t, messages), next(t, messages)
	if one.Channel.Name() != "/msg/chat" || two.Channel.Name() != "/msg/map" || three.Channel != one.Channel {
		t.Errorf("%v %v %v", one.Channel, two.Channel, three.Channel)
	}
}

// TestSlow: a function that is slow loses messages of its own stream, which are counted.
func TestSlow(t *testing.T) {
	r := start(t)
	g := &gauge[*wrapperspb.Int64Value]{}
	g.run(t, r)
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	o, err := r.tap.Open(r.await(t, "/gauge/reading", anyOf), stream.DropOldest(2), func(tap.Message) {
		entered <- struct{}{}
		<-leave
	})
	if err != nil {
		t.Fatal(err)
	}
	g.publish(t, wrapperspb.Int64(0))
	<-entered
	for n := range int64(5) {
		g.publish(t, wrapperspb.Int64(n))
	}
	awaitThat(t, "3 are lost", func() bool { return o.Lost() == 3 })
	close(leave)
	o.Close()
}

// TestChoice: everything but alternatives of what is read anyway, unless names say otherwise.
func TestChoice(t *testing.T) {
	out := func(device, stream, alternative string) tap.Stream {
		return tap.Stream{Channel: &recording.Channel{Device: device, Stream: stream, Direction: recording.Out},
			Info: &devicev1.StreamInfo{AlternativeTo: alternative}}
	}
	all := []tap.Stream{
		{Channel: &recording.Channel{Device: "front", Direction: recording.State}},
		out("front", "video", ""), out("front", "video-small", "video"),
		{Channel: &recording.Channel{Device: "motors", Direction: recording.State}}, out("motors", "rx", ""),
		out("motors", "control", ""),
		{Channel: &recording.Channel{Device: "guest", Stream: "camera", Direction: recording.In,
			Type: "waldo.media.v1.VideoFrame"}},
	}
	for want, record := range map[string][]string{
		"/front /front/video /motors /motors/rx /motors/control": nil,
		"/front /front/video":                          {"front"},
		"/front /front/video /front/video-small":       {"front", "front/video-small"},
		"/front /front/video-small /motors /motors/rx": {"front/video-small", "motors/rx"},
	} {
		c, err := tap.Choose(record)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(names(c.Of(all)), " "); got != want {
			t.Errorf("%v: %s, want %s", record, got, want)
		}
	}
	for _, wrong := range []string{"", "front/", "/video", "a/b/c"} {
		if _, err := tap.Choose([]string{wrong}); err == nil || !strings.Contains(err.Error(), "record[0]") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	for record, want := range map[string]bool{"": true, "msg": true, "msg/chat": true, "front": false} {
		c, err := tap.Choose(strings.Fields(record))
		if err != nil || c.Topics() != want || want && c.Topic("map") != (record != "msg/chat") {
			t.Errorf("%q: %v, %v", record, c, err)
		}
	}
}
