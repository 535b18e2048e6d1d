package labtest

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/deploy/vm/padsim"
)

// awaitReleased reads until all keys are released and the axes are at rest.
func (r *reports) awaitReleased(rest map[string]int32) {
	r.t.Helper()
	released := func() bool {
		for name, value := range rest {
			if r.axes[name] != value {
				return false
			}
		}
		return len(r.keys) == 0
	}
	for !released() {
		r.next()
	}
}

// A pad that is pulled out with a button held and a stick pushed counts as released.
func TestPadUnplugged(t *testing.T) {
	requireLab(t)
	pad, path := plugPad(t, padsim.Xbox())
	p := startInput(t, firstAddress)
	before := p.awaitReady()
	r := p.read()
	for range 2 {
		report(t, pad, padsim.Press(padsim.BtnSouth), padsim.Position(padsim.AbsX, 20000), padsim.Position(padsim.AbsZ, 200))
		r.until("BTN_SOUTH", 1)
		start := time.Now()
		unplugPad(t, pad, path)
		r.awaitReleased(map[string]int32{"ABS_X": 0, "ABS_Z": 0})
		t.Logf("all released after %.2f s", time.Since(start).Seconds())
		sameProcess(t, before, p.awaitAway())
		if _, err := p.inputs.GetState(p.context(), &inputv1.GetStateRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("GetState while away: %v, want Unavailable", err)
		}
		pad, path = plugPad(t, padsim.Xbox())
		sameProcess(t, before, p.awaitReady())
		report(t, pad, padsim.Press(padsim.BtnEast))
		r.until("BTN_EAST", 1)
		report(t, pad, padsim.Release(padsim.BtnEast))
		r.until("BTN_EAST", 0)
		r.checkState(p)
	}
}

func TestNoPadAtAll(t *testing.T) {
	requireLab(t)
	command(t, "modprobe", "evdev")
	p := startInput(t, firstAddress)
	p.awaitAway("there is no gamepad", "keyboard") // it lists the other devices
}

// A pad grabbed by one process is silent for all others, and a second process cannot grab it until the first releases
// it.
func TestGrab(t *testing.T) {
	requireLab(t)
	pad, path := plugPad(t, padsim.Xbox())
	listener := startInput(t, firstAddress)
	listener.awaitReady()
	heard := listener.read()

	first := startInput(t, secondAddress, "--grab")
	first.awaitReady()
	grabbed := first.read()
	report(t, pad, padsim.Press(padsim.BtnSouth))
	report(t, pad, padsim.Release(padsim.BtnSouth))
	grabbed.until("BTN_SOUTH", 0)

	second := startInput(t, thirdAddress, "--grab")
	away := second.awaitAway("grabbed", path)
	first.stop()
	sameProcess(t, away, second.awaitReady())
	grabbed = second.read()
	report(t, pad, padsim.Press(padsim.BtnNorth))
	report(t, pad, padsim.Release(padsim.BtnNorth))
	grabbed.until("BTN_NORTH", 0)
	second.stop()

	report(t, pad, padsim.Press(padsim.BtnEast))
	checkEvents(t, "the first that others hear", heard.next().GetEvents(), event(key, 0x131, "BTN_EAST", 1, 1))
}
