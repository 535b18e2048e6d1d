package hubtest_test

import (
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// TestStatesOfAllDevices: what devices say of themselves reaches gateways that listen to all devices of a robot, also
// while somebody on the robot does.
func TestStatesOfAllDevices(t *testing.T) {
	h := hubtest.Start(t, "rover", "arm")
	rover := h.Robot(t, "rover").Conn(t)
	subject := bus.Address{Robot: "rover", Device: bus.Any}.State()
	own, err := bus.Subscribe[*devicev1.Device](rover.Conn, subject, stream.Latest())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	states, err := bus.Subscribe[*devicev1.Device](h.Cloud(t).Conn, subject, stream.Latest())
	if err != nil {
		t.Fatal(err)
	}
	defer states.Close()
	heard := make(chan *devicev1.Device)
	go func() {
		defer close(heard)
		if d, err := states.Next(t.Context()); err == nil {
			heard <- d
		}
	}()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case d := <-heard:
			if d.GetName() != "front" {
				t.Errorf("heard is %v", d)
			}
			return
		case <-again.C: // interest takes a moment to get to the robot
			d := &devicev1.Device{Robot: "rover", Name: "front"}
			if err := rover.Publish(bus.Address{Robot: "rover", Device: "front"}.State(), d); err != nil {
				t.Fatal(err)
			}
		case <-deadline:
			t.Fatal("nothing is heard")
		}
	}
}
