package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// uplink sends to the hub what the robot's devices stream.
const uplink = "uplink: {kind: uplink}"

// row is a robot of the list.
func row(name, rest string) string {
	return fmt.Sprintf(`document.querySelector('[data-robot=%s]%s')`, name, rest)
}

// TestFleet has two robots at a hub and a gateway beside it, in Chromium: both are listed, one is opened, seen and
// driven; the driver who sees nothing more stops, as at a gateway on the robot. The robot is killed and runs again, and
// so are the gateway and the hub: all that was open goes on by itself.
func TestFleet(t *testing.T) {
	hub := harness.StartHub(t, "rover", "arm")
	r := &ride{tb: t, wire: harness.StartWire(t), url: hub.URL + "/r/rover/"}
	r.robot = harness.StartRobot(t, harness.Options{Name: "rover", Drive: seeFront, Fleet: hub.Fleet("rover"),
		Devices: strings.Join([]string{frontCard, r.wire.Device(), uplink}, "\n")})
	r.browser = harness.StartBrowser(t)
	list := r.browser.Open(t, hub.URL)
	list.Until(t, row("rover", "[data-state=there]"))
	arm := harness.StartRobot(t, harness.Options{Name: "arm", Fleet: hub.Fleet("arm")})
	list.Until(t, row("arm", "[data-state=there]")) // without a reload
	list.Click(t, "[data-robot=rover] button")
	list.Until(t, row("rover", " img")+".naturalWidth > 0")
	if n := harness.Eval[int](t, list, row("arm", " img")+".naturalWidth"); n != 0 {
		t.Error("a preview was taken that nobody asked for")
	}

	t.Run("drive", func(t *testing.T) { r.driveFromFar(t) })
	t.Run("away", func(t *testing.T) { r.awayAndBack(t, list) })
	tile := r.page.Tile(t, "front")
	hub.Gateway.Kill(t)
	list.Until(t, "document.body.dataset.link === 'gateway-lost'")
	hub.RestartGateway(t)
	list.Until(t, "document.body.dataset.link === 'live'")
	list.Until(t, row("rover", "[data-state=there]"))
	tile.WaitFrames(t, 15)
	hub.Kill(t)
	r.page.Until(t, troubleSays("hub cannot be reached"))
	hub.Restart(t)
	r.page.Until(t, "document.querySelector('#trouble').hidden")
	tile.WaitFrames(t, 15)
	arm.Stop(t)
	list.Until(t, row("arm", "[data-state=away]"))
}

// troubleSays is whether a page shows a problem.
func troubleSays(text string) string {
	return fmt.Sprintf("((t) => !t.hidden && t.textContent.includes('%s'))(document.querySelector('#trouble'))", text)
}

// driveFromFar sees and drives the robot at the hub's gateway. Without a picture it stands still.
func (r *ride) driveFromFar(t *testing.T) {
	r.open()
	tile := r.page.Tile(t, "front")
	tile.WaitFrames(t, 30)
	r.goFull(t, byKey)
	pids := harness.Children(t, r.robot.PID(), "waldo-uplink")
	if len(pids) != 1 {
		t.Fatalf("the uplink runs %d times", len(pids))
	}
	began := time.Now()
	resume := harness.Freeze(t, pids[0])
	r.wire.AwaitStill(t, began, quiet)
	resumed := time.Now()
	resume()
	r.goOn(t, resumed)
	byKey.rest(t, r.page)
	r.page.Click(t, "#drive-button")
	r.page.Until(t, "waldo.drive.state === 'off'")
}

// awayAndBack kills the robot and runs it again.
func (r *ride) awayAndBack(t *testing.T, list *harness.Page) {
	tile := r.page.Tile(t, "front")
	r.robot.Kill(t)
	r.page.Until(t, troubleSays("Robot rover is away"))
	list.Until(t, row("rover", "[data-state=away]"))
	harness.Until(t, "the robot is said to be away, not its camera", func() error {
		status, text, err := ask(r.url + "snapshot/front.jpg")
		if err == nil && (status != 503 || !strings.Contains(text, "robot rover is away")) {
			err = fmt.Errorf("%d: %s", status, text)
		}
		return err
	})
	harness.Eval[any](t, r.page, "window.same = true") // a reload would lose it
	r.robot.Restart(r.tb)                              // it outlives this part of the test
	list.Until(t, row("rover", "[data-state=there]"))
	r.page.Until(t, "document.querySelector('#trouble').hidden")
	tile.WaitFrames(t, 15)
	if !harness.Eval[bool](t, r.page, "window.same === true") {
		t.Error("the page was loaded again")
	}
	r.robot.Device(t, "motors")
	r.goFull(t, byKey)
	byKey.rest(t, r.page)
	r.page.Click(t, "#drive-button")
	r.page.Until(t, "waldo.drive.state === 'off'")
}
