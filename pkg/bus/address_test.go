package bus_test

import (
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/bus"
)

func TestAddressValidate(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := []struct {
		robot, device string
		bad           string // the field the error names, "" for none
	}{
		{"demo", "front", ""},
		{"a", "0", ""},
		{"r-2-d-2", long, ""},
		{"", "front", "robot"},
		{"demo", "", "device"},
		{"Demo", "front", "robot"},
		{"demo", long + "a", "device"},
		{"-demo", "front", "robot"},
		{"demo", "front-", "device"},
		{"de.mo", "front", "robot"},
		{"demo", bus.Any, "device"},
		{">", "front", "robot"},
		{"demo", "front door", "device"},
		{"demo", "front\n", "device"},
		{"démo", "front", "robot"},
		{"demo", "msg", "device"},
		{"msg", "front", ""},
	}
	for _, tt := range tests {
		err := bus.Address{Robot: tt.robot, Device: tt.device}.Validate()
		if (err == nil) != (tt.bad == "") || err != nil && !strings.HasPrefix(err.Error(), tt.bad+":") {
			t.Errorf("%q, %q: %v; want it about %q", tt.robot, tt.device, err, tt.bad)
		}
	}
}

func TestSubjects(t *testing.T) {
	for got, want := range map[string]string{
		front.Out("video"): "waldo.v1.demo.front.out.video",
		front.In("audio"):  "waldo.v1.demo.front.in.audio",
		front.State():      "waldo.v1.demo.front.state",
		front.RPC("waldo.camera.v1.CameraService",
			"CaptureFrame"): "waldo.v1.demo.front.rpc.waldo.camera.v1.CameraService.CaptureFrame",
		front.String():             "demo/front",
		bus.Topic("demo", "notes"): "waldo.v1.demo.msg.notes",
		bus.Address{Robot: "demo", Device: bus.Any}.State(): "waldo.v1.demo.*.state",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestCheckTopic(t *testing.T) {
	for topic, good := range map[string]bool{
		"default": true, "A-b_9": true, "": false, "a.b": false, "*": false, ">": false, "a b": false, strings.Repeat("x",
			64): true, strings.Repeat("x", 65): false,
	} {
		if err := bus.CheckTopic(topic); (err == nil) != good {
			t.Errorf("%q: %v", topic, err)
		}
	}
}
