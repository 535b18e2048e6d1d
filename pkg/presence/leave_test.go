package presence

import (
	"slices"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// TestDevicesThatLeave: what was stopped on purpose is forgotten, unless it is expected; what has crashed is not.
func TestDevicesThatLeave(t *testing.T) {
	now := time.Now()
	var forgotten []string
	d := &Devices{entries: map[string]*entry{}, changed: make(chan struct{}),
		forgot: func(name string) { forgotten = append(forgotten, name) }}
	for name, state := range map[string]devicev1.DeviceState{
		"rear": devicev1.DeviceState_DEVICE_STATE_STOPPING, "lamp": devicev1.DeviceState_DEVICE_STATE_STOPPING,
		"front": devicev1.DeviceState_DEVICE_STATE_READY,
	} {
		d.entries[name] = &entry{heard: now, expected: name == "rear", status: &signalingv1.DeviceStatus{
			Device: &devicev1.Device{Robot: "demo", Name: name, State: state}}}
	}
	for _, step := range []struct {
		after time.Duration
		known string
		gone  bool
	}{
		{goneAfter, "front lamp rear", false},
		{goneAfter + 1, "front lamp rear", true},
		{forgetAfter, "front lamp rear", true},
		{forgetAfter + 1, "front rear", true},
	} {
		d.markGone(now.Add(step.after))
		list, _ := d.List()
		known := ""
		for _, s := range list.GetDevices() {
			known += " " + s.GetDevice().GetName()
			if s.GetGone() != step.gone {
				t.Errorf("after %v %s is gone: %v", step.after, s.GetDevice().GetName(), s.GetGone())
			}
		}
		if known != " "+step.known {
			t.Errorf("after %v%s are known", step.after, known)
		}
	}
	if !slices.Equal(forgotten, []string{"lamp"}) {
		t.Errorf("%v are forgotten", forgotten)
	}
}
