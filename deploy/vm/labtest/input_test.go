package labtest

import (
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/deploy/vm/padsim"
)

// event is an event as the service should report it.
func event(kind inputv1.EventKind, code int32, name string, value int32, normalized float64) *inputv1.Event {
	return &inputv1.Event{Kind: kind, Code: code, Name: name, Value: value, Normalized: normalized}
}

// checkEvents compares events in order. Positions may differ by rounding.
func checkEvents(t *testing.T, what string, got []*inputv1.Event, want ...*inputv1.Event) {
	t.Helper()
	same := slices.EqualFunc(got, want, func(a, b *inputv1.Event) bool {
		near := math.Abs(a.GetNormalized()-b.GetNormalized()) < 1e-9
		a = proto.CloneOf(a)
		a.Normalized = b.GetNormalized()
		return near && proto.Equal(a, b)
	})
	if !same {
		t.Errorf("%s:\n%v, want\n%v", what, got, want)
	}
}

const (
	key      = inputv1.EventKind_EVENT_KIND_KEY
	relative = inputv1.EventKind_EVENT_KIND_RELATIVE
	absolute = inputv1.EventKind_EVENT_KIND_ABSOLUTE
)

// The service finds the pad among the machine's other devices, which include a keyboard, and reports its events.
func TestPad(t *testing.T) {
	requireLab(t)
	pad, path := plugPad(t, padsim.Xbox())
	p := startInput(t, firstAddress, "--match", "gamepad")
	p.awaitReady()
	info, axes := p.device()
	want := &inputv1.InputInfo{Path: path, Name: padsim.Xbox().Name, Kind: "gamepad", Id: "045e:028e"}
	if !proto.Equal(info, want) {
		t.Errorf("it uses %v, want %v", info, want)
	}
	for name, want := range map[string]*inputv1.Axis{
		"ABS_X":     {Code: 0, Minimum: -32768, Maximum: 32767, DeadZone: 128, Centered: true},
		"ABS_RY":    {Code: 4, Minimum: -32768, Maximum: 32767, DeadZone: 128, Centered: true},
		"ABS_RZ":    {Code: 5, Maximum: 255},
		"ABS_HAT0Y": {Code: 17, Minimum: -1, Maximum: 1, Centered: true},
	} {
		if want.Name = name; !proto.Equal(axes[name], want) {
			t.Errorf("%s is %v, want %v", name, axes[name], want)
		}
	}
	checkList(t, p, want)

	r := p.read()
	before := time.Now()
	report(t, pad, padsim.Press(padsim.BtnSouth))
	first := r.next()
	checkEvents(t, "a button", first.GetEvents(), event(key, 0x130, "BTN_SOUTH", 1, 1))
	if at := first.GetEventTime().AsTime(); at.Before(before) || at.After(time.Now()) || first.GetResync() {
		t.Errorf("the event came %v after the press, resync %v", at.Sub(before), first.GetResync())
	}
	for what, c := range map[string]struct {
		events []padsim.Event
		want   []*inputv1.Event
	}{
		"a stick, both axes in one report": {
			[]padsim.Event{padsim.Position(padsim.AbsX, 32767), padsim.Position(padsim.AbsY, -16448)},
			[]*inputv1.Event{event(absolute, 0, "ABS_X", 32767, 1), event(absolute, 1, "ABS_Y", -16448, -0.5)},
		},
		"a stick in its dead zone": {
			[]padsim.Event{padsim.Position(padsim.AbsRX, 100)}, []*inputv1.Event{event(absolute, 3, "ABS_RX", 100, 0)},
		},
		"triggers": {
			[]padsim.Event{padsim.Position(padsim.AbsZ, 255), padsim.Position(padsim.AbsRZ, 51)},
			[]*inputv1.Event{event(absolute, 2, "ABS_Z", 255, 1), event(absolute, 5, "ABS_RZ", 51, 0.2)},
		},
		"the hat and a button": {
			[]padsim.Event{padsim.Position(padsim.AbsHat0X, -1), padsim.Press(padsim.BtnTL)},
			[]*inputv1.Event{event(absolute, 16, "ABS_HAT0X", -1, -1), event(key, 0x136, "BTN_TL", 1, 1)},
		},
	} {
		report(t, pad, c.events...)
		checkEvents(t, what, r.next().GetEvents(), c.want...)
	}
	state := p.state()
	if state.GetSequence() != r.last || state.GetEpoch() != r.state.GetEpoch() {
		t.Errorf("the state is of report %d, want %d", state.GetSequence(), r.last)
	}
	checkEvents(t, "pressed", state.GetKeys(), event(key, 0x130, "BTN_SOUTH", 1, 1), event(key, 0x136, "BTN_TL", 1, 1))
	checkEvents(t, "axes", state.GetAxes(),
		event(absolute, 0, "ABS_X", 32767, 1), event(absolute, 1, "ABS_Y", -16448, -0.5), event(absolute, 2, "ABS_Z", 255, 1),
		event(absolute, 3, "ABS_RX", 100, 0), event(absolute, 4, "ABS_RY", 0, 0), event(absolute, 5, "ABS_RZ", 51, 0.2),
		event(absolute, 16, "ABS_HAT0X", -1, -1), event(absolute, 17, "ABS_HAT0Y", 0, 0))
}

// checkList looks for the pad, and for the keyboard of the machine, among the devices that the service lists.
func checkList(t *testing.T, p *input, pad *inputv1.InputInfo) {
	t.Helper()
	list, err := p.inputs.ListInputs(p.context(), &inputv1.ListInputsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	keyboards, pads := 0, 0
	for _, i := range list.GetInputs() {
		if proto.Equal(i, pad) {
			pads++
		}
		if i.GetKind() == "keyboard" {
			keyboards++
		}
	}
	if pads != 1 || keyboards == 0 {
		t.Errorf("the devices listed are %v, want a keyboard and %v", list.GetInputs(), pad)
	}
}

func TestKeyboard(t *testing.T) {
	requireLab(t)
	keyboard, path := plugPad(t, padsim.Keyboard())
	p := startInput(t, firstAddress, "--match", "keyboard", "--name", "waldo simulated")
	p.awaitReady()
	if info, _ := p.device(); info.GetPath() != path || info.GetKind() != "keyboard" {
		t.Errorf("it uses %v, want %s", info, path)
	}
	other := startInput(t, secondAddress, "--match", "keyboard")
	other.awaitReady()
	if info, _ := other.device(); info.GetKind() != "keyboard" || info.GetPath() == path {
		t.Errorf("without a name it uses %v, want the first keyboard, which is the machine's own", info)
	}
	r := p.read()
	report(t, keyboard, padsim.Press(padsim.KeyA))
	checkEvents(t, "pressed", r.next().GetEvents(), event(key, 30, "KEY_A", 1, 1))
	checkEvents(t, "held", r.next().GetEvents(), event(key, 30, "KEY_A", 2, 1)) // the kernel repeats it
	report(t, keyboard, padsim.Release(padsim.KeyA))
	checkEvents(t, "released", r.until("KEY_A", 0).GetEvents(), event(key, 30, "KEY_A", 0, 0))
}

func TestMouse(t *testing.T) {
	requireLab(t)
	mouse, path := plugPad(t, padsim.Mouse())
	p := startInput(t, firstAddress, "--match", "mouse")
	p.awaitReady()
	if info, _ := p.device(); info.GetPath() != path || info.GetKind() != "mouse" {
		t.Errorf("it uses %v, want %s", info, path)
	}
	r := p.read()
	report(t, mouse, padsim.Move(padsim.RelX, 3), padsim.Move(padsim.RelY, -5), padsim.Press(padsim.BtnLeft))
	checkEvents(t, "moved and pressed", r.next().GetEvents(), event(relative, 0, "REL_X", 3, 3),
		event(relative, 1, "REL_Y", -5, -5),
		event(key, 0x110, "BTN_LEFT", 1, 1))
	report(t, mouse, padsim.Move(padsim.RelWheel, -1))
	checkEvents(t, "wheel", r.next().GetEvents(), event(relative, 8, "REL_WHEEL", -1, -1))
}

// For the kernel, a cheap pad is at 0, a corner of its sticks, until its first report. It must not look as if pushed
// there.
func TestPadThatHasNotSpoken(t *testing.T) {
	requireLab(t)
	pad, _ := plugPad(t, padsim.Plain())
	p := startInput(t, firstAddress)
	p.awaitReady()
	r := p.read()
	resting := []*inputv1.Event{
		event(absolute, 0, "ABS_X", 128, 0), event(absolute, 1, "ABS_Y", 128, 0),
		event(absolute, 2, "ABS_Z", 0, 0), event(absolute, 5, "ABS_RZ", 0, 0), // which may be triggers
	}
	checkEvents(t, "before its first report", r.state.GetAxes(), resting...)
	report(t, pad, padsim.Press(padsim.BtnEast))
	checkEvents(t, "a button says nothing of the sticks", r.next().GetEvents(), event(key, 0x131, "BTN_EAST", 1, 1))
	checkEvents(t, "after a button", p.state().GetAxes(), resting...)

	report(t, pad, padsim.Position(padsim.AbsX, 128), padsim.Position(padsim.AbsY, 128), padsim.Position(padsim.AbsZ, 128),
		padsim.Position(padsim.AbsRZ, 128), padsim.Release(padsim.BtnEast))
	r.until("BTN_EAST", 0)
	checkEvents(t, "after its first report", p.state().GetAxes(), event(absolute, 0, "ABS_X", 128, 0),
		event(absolute, 1, "ABS_Y", 128, 0),
		event(absolute, 2, "ABS_Z", 128, 0), event(absolute, 5, "ABS_RZ", 128, 0))
	if _, axes := p.device(); !axes["ABS_Z"].GetCentered() || !axes["ABS_RZ"].GetCentered() {
		t.Errorf("the second stick is treated as triggers: %v", axes)
	}
	report(t, pad, padsim.Position(padsim.AbsX, 0))
	checkEvents(t, "pushed", r.next().GetEvents(), event(absolute, 0, "ABS_X", 0, -1))
}
