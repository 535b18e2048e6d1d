package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

const slot = `guest: {kind: peer}`

// TestShareCamera uses the page as people do: they share their camera, another page shows it and takes the device over,
// and whoever shares goes on after the processes on the way were killed.
func TestShareCamera(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: slot})
	browser := harness.StartBrowser(t, harness.WithMicrophone(harness.WriteWAV(t, harness.Sine(1000, 0.25, time.Second))))
	ann, bob := browser.Open(t, robot.URL), browser.Open(t, robot.URL)
	const panel = "#shares [data-device=guest]"
	state := func(page *harness.Page, want string) {
		t.Helper()
		page.Until(t, "document.querySelector($1)?.dataset.share === $2", panel, want)
	}
	state(ann, "off")
	ann.Click(t, panel+" .share")
	state(ann, "live")
	name := harness.Eval[string](t, ann, "waldo.robot.holder")
	if list := robot.Waldo(t, "ls"); !strings.Contains(list, name) {
		t.Errorf("waldo ls does not say that %s sends:\n%s", name, list)
	}
	shown := bob.Tile(t, "guest")
	shown.WaitFrames(t, 30)
	bob.Until(t, "waldo.robot.sharing('guest').publisher === $1", name)
	made := harness.Eval[int](t, ann, "peers.length")

	harness.Crash(t, robot.Device(t, "guest").PID)
	shown.WaitFrames(t, 30)
	state(ann, "live")
	if now := harness.Eval[int](t, ann, "peers.length"); now != made {
		t.Errorf("the page has made %d connections, %d before the crash", now, made)
	}
	harness.Crash(t, robot.Gateway(t))
	state(ann, "stale")
	state(ann, "live")
	shown.WaitFrames(t, 30)

	bob.Click(t, panel+" .share")
	bob.Until(t, "document.querySelector($1).textContent === 'Really take over?'", panel+" .share")
	bob.Click(t, panel+" .share")
	state(bob, "live")
	state(ann, "off")
	ann.Until(t, "document.querySelector($1).textContent.endsWith('has taken over')", panel+" [data-why]")
	ann.Until(t, "document.querySelector($1).srcObject === null", panel+" .preview")
	watched := ann.Tile(t, "guest")
	watched.WaitFrames(t, 30)

	bob.Click(t, panel+" .share")
	state(bob, "off")
	ann.Until(t, "waldo.robot.sharing('guest').publisher === ''")
}
