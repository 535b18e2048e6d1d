package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// echo is a device of a kind that waldo does not know. What it is sent on the stream in it says again on the stream
// out.
type echo struct {
	in    *device.In[*messagev1.Message]
	out   *device.Out[*anypb.Any]
	words chan proto.Message
}

func newEcho(kit *device.Kit, _ struct{}) (device.Driver, error) {
	return &echo{
		in:    device.NewIn[*messagev1.Message](kit, "in", stream.DropOldest(10)),
		out:   device.NewOut[*anypb.Any](kit, "out", device.OutOptions{}),
		words: make(chan proto.Message, 10),
	}, nil
}

func (e *echo) Run(ctx context.Context, ready func()) error {
	ready()
	heard := make(chan error, 1)
	go func() { heard <- e.in.Receive(ctx, func(m *messagev1.Message) { e.words <- m }) }()
	spoken := e.out.WhileHeld(ctx, e.speak)
	return errors.Join(spoken, <-heard) // it ends with ctx
}

func (e *echo) speak(ctx context.Context) error {
	list, err := structpb.NewStruct(map[string]any{"a": []any{1.0, nil, true}})
	if err != nil {
		return err
	}
	for _, m := range []proto.Message{durationpb.New(1500 * time.Millisecond), wrapperspb.Double(21.5), list} {
		if err := e.say(m); err != nil {
			return err
		}
	}
	for {
		select {
		case m := <-e.words:
			if err := e.say(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *echo) say(m proto.Message) error {
	packed, err := anypb.New(m)
	if err == nil {
		e.out.Publish(packed)
	}
	return err
}

// TestAnyDevice: a device of another kind is listed, watched, called and sent messages by its own definitions.
func TestAnyDevice(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	p, err := device.Start(device.Kind[struct{}]{Name: "echo", Version: "1.0.0", New: newEcho},
		device.Settings{Robot: "demo", Device: "hall", NATS: server.URL()}, struct{}{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	t.Setenv("WALDO_NATS", server.URL())
	ls(t, 1)
	hall := watch(t, "hall")
	for _, want := range []string{
		`{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}`,
		`{"@type":"type.googleapis.com/google.protobuf.DoubleValue","value":21.5}`,
		`{"@type":"type.googleapis.com/google.protobuf.Struct","value":{"a":[1,null,true]}}`,
	} {
		hall.expect(want)
	}
	if code, _, err := waldo(t, "send", "hall", `{"text": "hello"}`); code != 0 {
		t.Fatalf("send: %d, %s", code, err)
	}
	hall.expect(`{"@type":"type.googleapis.com/waldo.message.v1.Message","text":"hello"}`)
	for _, tt := range []struct {
		args string
		code int
		says string
	}{
		{"call hall", 0, "waldo.device.v1.DeviceService/GetDevice"},
		{"call hall", 0, "only over gRPC"},
		{"call hall GetDevice", 0, `"kind": "echo"`},
		{"call hall DeviceService/GetDevice {}", 0, `"kind": "echo"`},
		{"call demo/hall waldo.device.v1.DeviceService/GetDevice", 0, `"kind": "echo"`},
		{"call hall GetDevice {\"x\":1}", 1, `unknown field "x"; it has no fields`},
		{"call hall WatchDevice", 1, "over gRPC"},
		{"call hall Fly", 1, "waldo call demo/hall lists"},
		{"call hall HoldStream {\"stream\":\"up\"}", 1, `demo/hall: stream: demo/hall has no stream "up"`},
		{"call hail GetDevice", 1, "there are: demo/hall"},
		{"send hall {\"txt\":\"x\"}", 1,
			`message: not a waldo.message.v1.Message: (line 1:2): unknown field "txt"; its fields are topic`},
		{"send hall {} --stream out", 1, "it accepts: in"},
	} {
		code, out, err := waldo(t, strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(out+err, tt.says) {
			t.Errorf("%s: %d, %s%s, want %q", tt.args, code, out, err, tt.says)
		}
	}
}

// expect returns when a line comes that is this.
func (w *watching) expect(line string) {
	w.t.Helper()
	for w.lines.Scan() {
		if w.lines.Text() == line {
			return
		}
		w.t.Logf("%s", w.lines.Text())
	}
	w.t.Fatalf("%s did not come", line)
}
