package calls

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

const write = "waldo.serial.v1.SerialService/WriteMessage"

// requests are calls of peers, and what is wrong with them.
var requests = []struct{ name, method, request, wrong string }{
	{"without a request", "waldo.device.v1.DeviceService/GetDevice", `{}`, ""},
	{"with one", write, `{"json": "{}", "control": {"leaseEpoch": "9007199254740993", "sequence": 7, "heard": "1.5s"}}`, ""},
	{"an unknown method", "waldo.serial.v1.SerialService/Explode", `{}`, "method: "},
	{"a stream", "waldo.serial.v1.SerialService/StreamMessages", `{}`, "method: "},
	{"of gRPC's own", "grpc.health.v1.Health/Check", `{}`, "method: "},
	{"no method", "", `{}`, "method: "},
	{"one of ours", "waldo.device.v1.DeviceService/HoldStream", `{"stream": "video", "holder": "x", "ttl": "0s"}`, "method: "},
	{"an unknown field", write, `{"text": "x"}`, "text"},
	{"a wrong type", write, `{"control": {"sequence": "x"}}`, "sequence"},
	{"no duration", write, `{"control": {"heard": "soon"}}`, "soon"},
}

func TestPrepare(t *testing.T) {
	c := New(nil, "rover", nil)
	for _, tt := range requests {
		t.Run(tt.name, func(t *testing.T) {
			call := &signalingv1.Call{Method: tt.method}
			if err := protojson.Unmarshal([]byte(`{"request": `+tt.request+`}`), call); err != nil {
				t.Fatal(err)
			}
			call.Method = tt.method
			request, response, err := c.prepare(call)
			if tt.wrong != "" {
				if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("%v; want %q", err, tt.wrong)
				}
				return
			}
			if err != nil || request == nil || response == nil {
				t.Error(err)
			}
		})
	}
}

// TestCallable: a new method becomes callable by peers only by a decision, which is a line here.
func TestCallable(t *testing.T) {
	want := []string{
		"waldo.audio.v1.AudioService/GetVolume", "waldo.audio.v1.AudioService/ListDevices", "waldo.audio.v1.AudioService/SetVolume",
		"waldo.camera.v1.CameraService/CaptureFrame", "waldo.camera.v1.CameraService/GetControls",
		"waldo.camera.v1.CameraService/ListFormats", "waldo.camera.v1.CameraService/RequestKeyFrame",
		"waldo.camera.v1.CameraService/SetBitrate", "waldo.camera.v1.CameraService/SetControls",
		"waldo.control.v1.ControlService/Acquire", "waldo.control.v1.ControlService/ClearEStop",
		"waldo.control.v1.ControlService/EStop", "waldo.control.v1.ControlService/GetControl",
		"waldo.control.v1.ControlService/KeepAlive", "waldo.control.v1.ControlService/Release", "waldo.control.v1.ControlService/Take",
		"waldo.device.v1.DeviceService/GetDevice",
		"waldo.input.v1.InputService/GetInput", "waldo.input.v1.InputService/GetState", "waldo.input.v1.InputService/ListInputs",
		"waldo.serial.v1.SerialService/GetPort", "waldo.serial.v1.SerialService/WriteMessage",
	}
	if got := slices.Sorted(maps.Keys(methods())); !slices.Equal(got, want) {
		t.Errorf("peers can call %q, want %q", got, want)
	}
}

// FuzzPrepare makes requests of whatever a peer says: wrong ones are refused, right ones are what he said.
func FuzzPrepare(f *testing.F) {
	for _, tt := range requests {
		f.Add(tt.method, tt.request)
	}
	c := New(nil, "rover", nil)
	f.Fuzz(func(t *testing.T, method, text string) {
		call := &signalingv1.Call{}
		if protojson.Unmarshal([]byte(`{"request": `+text+`}`), call) != nil {
			return
		}
		call.Method = method
		request, _, err := c.prepare(call)
		if err != nil {
			if status.Code(err) != codes.InvalidArgument {
				t.Error(err)
			}
			return
		}
		again := request.ProtoReflect().New().Interface()
		if err := convert(request, again); err != nil || !proto.Equal(request, again) && !strings.Contains(text, "aN") {
			t.Errorf("%v: %v, %v", request, again, err)
		}
	})
}
