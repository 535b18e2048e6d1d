package serial

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/drive"
	"github.com/waldo-robot/waldo/pkg/lease"
	"github.com/waldo-robot/waldo/pkg/ptytest"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// eye is a camera of which a test tells what it captures.
type eye struct{ out *device.Out[*mediav1.Capture] }

type nothing struct{}

func startEye(t *testing.T, r *rig) *eye {
	t.Helper()
	e := &eye{}
	kind := device.Kind[nothing]{Name: "eye", Version: "1.0.0",
		New: func(kit *device.Kit, _ nothing) (device.Driver, error) {
			e.out = device.NewOut[*mediav1.Capture](kit, actuator.Captures, device.OutOptions{})
			return e, nil
		}}
	p, err := device.Start(kind, device.Settings{Robot: "r", Device: "front", NATS: r.nats}, nothing{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return e
}

func (e *eye) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// see returns the headers of a driver who has seen pictures that were captured so long ago. Each announces another one,
// and names the one before.
func (e *eye) see(t *testing.T, p *pilot, age time.Duration) func() *controlv1.CommandHeader {
	t.Helper()
	var seen *timestamppb.Timestamp
	return func() *controlv1.CommandHeader {
		h, err := p.Header(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h.Seen, seen = seen, timestamppb.New(time.Now().Add(-age))
		e.out.Publish(&mediav1.Capture{Epoch: 1, CaptureTime: seen, Age: durationpb.New(age)})
		return h
	}
}

// try sends a command until it is accepted.
func (p *pilot) try(t *testing.T, values string, header func() *controlv1.CommandHeader) *controlv1.CommandReport {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		r, err := p.serial.WriteMessage(t.Context(), jsonMessage(values, header()))
		p.Heard(r.GetReport(), err)
		switch {
		case err == nil:
			return r.GetReport()
		case time.Now().After(deadline):
			t.Fatalf("%s: %v", values, err)
		}
	}
}

// TestSlowedOnTheWire: the older the picture of the driver is, the slower the board moves, in the same direction; when
// it is too old, it stops.
func TestSlowedOnTheWire(t *testing.T) {
	board := ptytest.New(t)
	set := motors(t)
	r := start(t, board.Path, func(c *Config) {
		set(c)
		c.Control.See, c.Control.Blind = "front", drive.Blind{Slow: new(5 * time.Second), Stop: new(10 * time.Second)}
		c.Control.FullScale = map[string]float64{"left": 100, "right": 100}
	})
	r.awaitReady(t)
	e := startEye(t, r)
	p := r.acquire(t, "bus")
	for begun := time.Now(); !e.out.Held(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatal("the camera is not held")
		}
	}
	from := len(board.All())
	p.mustSend(t, "[0, 0]")
	if err := p.send(t.Context(), "[100, -60]"); lease.Report(err).GetVerdict() !=
		controlv1.CommandVerdict_COMMAND_VERDICT_BLIND {
		t.Errorf("without a picture: %v", err)
	}
	p.try(t, "[100, -60]", e.see(t, p, 0))
	from = board.Await(t, from, "\x64\xc4")
	report := p.try(t, "[100, -60]", e.see(t, p, 8*time.Second))
	if s := report.GetSight(); s.GetSpeed() > 0.4 || s.GetCamera() != "front" {
		t.Errorf("%v", s)
	}
	r.awaitSafe(t, controlv1.SafeCause_SAFE_CAUSE_BLIND, controlv1.SafeCause_SAFE_CAUSE_DEADMAN)
	board.Await(t, from, stop)
	moved := strings.ReplaceAll(board.All()[from:], stop, "")
	if len(moved) < 2 || int8(moved[0]) < 1 || int8(moved[0]) > 40 || int8(moved[1]) > 0 || int8(moved[1]) < -24 {
		t.Errorf("slowed it is % x", moved)
	}
}

// awaitSafe returns when the hardware has been stopped for one of some causes.
func (r *rig) awaitSafe(t *testing.T, causes ...controlv1.SafeCause) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		s, err := r.control.GetControl(t.Context(), &controlv1.GetControlRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, cause := range causes {
			if s.GetState().GetCause() == cause && s.GetState().GetPhase() != controlv1.ControlPhase_CONTROL_PHASE_DRIVING {
				return
			}
		}
		if time.Since(begun) > patience {
			t.Fatal(s.GetState())
		}
	}
}

// TestSightByFlags: without a file a board says by itself what its driver must see.
func TestSightByFlags(t *testing.T) {
	var section robot.Section
	section.Override("control", "{safe: [0, 0], see: front, blind: {stop: 1s}, limit: {reaction: 30cm, speed: 1m/s}}",
		"--control")
	section.Override("port", "sim", "--port")
	section.Override("write", "<hh", "--write")
	c := Defaults()
	if err := section.Decode(&c); err != nil {
		t.Fatal(err)
	}
	if slow, stop := c.Control.Ages(); c.Control.See != "front" || slow != drive.DefaultSlow || stop != time.Second ||
		c.Control.Limit.Reaction != 0.3 || !c.Control.Watched() {
		t.Errorf("%+v", c.Control.Sight)
	}
	section.Override("control", "{safe: [0, 0], see: front, blind: off}", "--control")
	if err := section.Decode(&c); err == nil ||
		!strings.Contains(err.Error(), "--control: blind: off is for the section drive:") {
		t.Errorf("%v", err)
	}
}

// TestOfRobot reads what the section `drive:` says of a board.
func TestOfRobot(t *testing.T) {
	for name, tt := range map[string]struct {
		device, control, drive string
		see, bad               string
	}{
		"nothing":    {"motors", "control: {safe: [0, 0]}", "", "", ""},
		"of another": {"arm", "control: {safe: [0, 0]}", "see: front", "", ""},
		"by drive":   {"motors", "control: {safe: [0, 0]}", "see: front", "front", ""},
		"by control": {"motors", "control: {safe: [0, 0], see: front}", "", "front", ""},
		"of an arm":  {"arm", "control: {safe: [0, 0], see: front}", "see: front", "front", ""},
		"twice": {"motors", "control: {safe: [0, 0], see: front}", "see: front", "",
			"r:4: devices.motors.control.see: is set for this device in the section drive: as well"},
		"no camera": {"motors", "control: {safe: [0, 0], see: rear}", "", "",
			`r:4: devices.motors.control.see: there is no device "rear"`},
		"drive is bad": {"motors", "control: {safe: [0, 0]}", "see: rear", "", `r:6: drive.see: there is no device "rear"`},
		"no actuator": {"motors", "baud: 9600", "see: front", "",
			`r:6: drive.see: the device "motors" has no section control:`},
		"off here": {"motors", "control: {safe: [0, 0], see: front, blind: off}", "", "",
			"r:4: devices.motors.control.blind: off is for the section drive:"},
		"no meaning": {"motors", "control: {safe: [0, 0], limit: {reaction: 1m}}", "", "",
			"r:4: devices.motors.control.limit: has no meaning without see"},
		"two errors": {"motors", "control: {safe: [0, 0], see: front, blind: {slow: 1s}, limit: {reaction: 1m}}", "", "",
			"r:4: devices.motors.control.blind: slow is 1s and stop is 800ms (defaults 300ms and 800ms): stop must be the " +
				"greater age\n" +
				"r:4: devices.motors.control.limit.speed: is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := robot.Parse("r",
				[]byte("robot: a\ndevices:\n  front: {kind: camera}\n  motors: {kind: serial, port: sim, "+
					"write: <hh, writeKeys: [left, right], "+tt.control+"}\n  arm: {kind: serial, port: sim, write: <hh, "+tt.control+
					"}\ndrive: {device: motors, keys: {left: {forward: 200, turn: 60}}, "+tt.drive+"}\n"))
			if err != nil {
				t.Fatal(err)
			}
			c, section := Defaults(), &file.Devices[1].Section
			if tt.device == "arm" {
				section = &file.Devices[2].Section
			}
			err = section.Decode(&c)
			if err == nil {
				err = section.Locate(c.OfRobot(file, tt.device))
			}
			if tt.bad != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.bad) {
					t.Errorf("%v, want %s", err, tt.bad)
				}
				return
			}
			if err != nil || string(c.Control.See) != tt.see {
				t.Fatalf("%q, %v", c.Control.See, err)
			}
			if want := map[string]float64{"motors": 260}[tt.device]; c.Control.FullScale["left"] != want {
				t.Errorf("full scale is %v", c.Control.FullScale)
			}
		})
	}
}
