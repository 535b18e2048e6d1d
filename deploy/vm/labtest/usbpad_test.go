package labtest

import (
	"testing"

	"github.com/waldo-robot/waldo/deploy/vm/boardsim"
	"github.com/waldo-robot/waldo/deploy/vm/padsim"
)

// openPad opens the board's end of the gamepad. The board must be plugged in.
func openPad(t *testing.T, b *boardsim.Board) *boardsim.Pad {
	t.Helper()
	pad, err := b.Pad()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pad.Close() })
	return pad
}

// send makes the gamepad send a report over USB.
func send(t *testing.T, pad *boardsim.Pad, r boardsim.PadReport) {
	t.Helper()
	if err := pad.Send(r, patience); err != nil {
		t.Fatal(err)
	}
}

// A gamepad on a real USB port, as far as the kernel can tell: found by its name, read through the usual driver, and
// found again when it was pulled out and came back as another event device.
func TestUSBPad(t *testing.T) {
	requireLab(t)
	b := buildBoard(t)
	plugBoard(t, b)
	p := startInput(t, firstAddress, "--path", padByID)
	before := p.awaitReady()
	info, axes := p.device()
	if info.GetKind() != "gamepad" || info.GetId() != "2341:0043" {
		t.Errorf("it uses %v", info)
	}
	if x := axes["ABS_X"]; x.GetMinimum() != 0 || x.GetMaximum() != 255 || !x.GetCentered() {
		t.Errorf("ABS_X is %v", x)
	}
	r := p.read()
	if r.axes["ABS_X"] != boardsim.Center || r.axes["ABS_Y"] != boardsim.Center || r.axes["ABS_HAT0X"] != 0 {
		t.Errorf("before its first report it is at %v", r.axes)
	}
	pad := openPad(t, b)
	pushUSBPad(t, p, r, pad)

	pad.Close()
	unplugBoard(t, b)
	r.awaitReleased(map[string]int32{"ABS_X": boardsim.Center, "ABS_Y": boardsim.Center, "ABS_HAT0X": 0})
	sameProcess(t, before, p.awaitAway())
	other, path := plugPad(t, padsim.Xbox()) // takes the free number
	plugBoard(t, b)
	sameProcess(t, before, p.awaitReady())
	if now, _ := p.device(); now.GetPath() == info.GetPath() || now.GetPath() == path {
		t.Errorf("it uses %s after %s; %s is another pad", now.GetPath(), info.GetPath(), path)
	}
	report(t, other, padsim.Press(padsim.BtnWest)) // must not appear in r
	pushUSBPad(t, p, r, openPad(t, b))
	if r.keys["BTN_WEST"] {
		t.Error("it reads the other pad as well")
	}
}

// pushUSBPad puts the pad at rest, and then pushes a stick, the hat, and a button at once.
func pushUSBPad(t *testing.T, p *input, r *reports, pad *boardsim.Pad) {
	t.Helper()
	push := boardsim.Resting()
	send(t, pad, push)
	push.Buttons, push.X, push.Y, push.Hat = 1, 255, 0, 2
	send(t, pad, push)
	checkEvents(t, "all of a report", r.until("BTN_SOUTH", 1).GetEvents(), event(absolute, 0, "ABS_X", 255, 1),
		event(absolute, 1, "ABS_Y", 0, -1), event(absolute, 16, "ABS_HAT0X", 1, 1), event(key, 0x130, "BTN_SOUTH", 1, 1))
	if _, axes := p.device(); !axes["ABS_Z"].GetCentered() || r.axes["ABS_Z"] != boardsim.Center {
		t.Errorf("the second stick is at %d, described as %v", r.axes["ABS_Z"], axes["ABS_Z"])
	}
	r.checkState(p)
}
