package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// What a fake camera prints of commands by ONVIF.
var (
	turns  = regexp.MustCompile(`ContinuousMove: pan -?[0-9.]*[1-9]`)
	orders = regexp.MustCompile(`(ContinuousMove|Stop): .*`)
)

const stands = "ContinuousMove: pan 0.00, tilt 0.00, zoom 0.00"

// turningCamera is a network camera that is driven from a page.
type turningCamera struct {
	camera *harness.Process
	page   *harness.Page
}

func startTurningCamera(t *testing.T) (*harness.Robot, *turningCamera) {
	t.Helper()
	rtsp, onvif := harness.FreeAddress(t), harness.FreeAddress(t)
	camera := fakeCamera(t, rtsp, "-onvif", onvif)
	robot := harness.StartRobot(t, harness.Options{
		Devices: fmt.Sprintf(`door: {kind: rtsp-ingest, url: "rtsp://%s/live", ptz: {onvif: "http://%s"}}`, rtsp, onvif),
		Drive:   `{device: door, method: waldo.ptz.v1.PtzService/Move, keys: {pan: {turn: 1}, tilt: {forward: 1}}}`,
	})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Tile(t, "door").WaitFrames(t, 10)
	return robot, &turningCamera{camera, page}
}

// orders are the commands that the camera has got since a moment, which is an earlier length of its output.
func (c *turningCamera) orders(since int) []string {
	return orders.FindAllString(c.camera.Output()[since:], -1)
}

// turn begins to drive, with everything released, and holds a key until the camera is told to turn.
func (c *turningCamera) turn(t *testing.T) {
	t.Helper()
	c.page.Release(t, "KeyD")
	harness.Until(t, "the page drives", func() error {
		state := harness.Eval[string](t, c.page, "waldo.drive.state")
		if state == "driving" {
			return nil
		}
		if state == "off" {
			c.page.Click(t, "#drive-button")
		}
		return fmt.Errorf("the drive is %s", state)
	})
	since := len(c.camera.Output())
	harness.Until(t, "the camera turns", func() error {
		c.page.Press(t, "KeyD") // repeatedly: a page that was frozen for a moment releases all keys
		if got := c.orders(since); !turns.MatchString(strings.Join(got, "\n")) {
			return fmt.Errorf("it was told %q", got)
		}
		return nil
	})
}

// TestGatewayIsKilledWhileACameraTurns: the camera is told to stop in both ways, of which each camera knows one, and
// stands until somebody drives again, which the same page can.
func TestGatewayIsKilledWhileACameraTurns(t *testing.T) {
	robot, c := startTurningCamera(t)
	for range 2 {
		c.turn(t)
		pid, since, killed := robot.Gateway(t), len(c.camera.Output()), time.Now()
		harness.Crash(t, pid)
		harness.Until(t, "the camera is told to stop", func() error {
			got := strings.Join(c.orders(since), "\n")
			if !strings.Contains(got, "Stop: ") || !strings.Contains(got, stands) {
				return fmt.Errorf("it was told %q", got)
			}
			return nil
		})
		// 200 ms are the deadman's; the rest is for the way to the camera, on a machine that may be busy
		if took := time.Since(killed); took > 3*time.Second {
			t.Errorf("the camera was told to stop %v after the gateway was killed", took)
		}
		stopped := len(c.camera.Output())
		c.page.Until(t, `waldo.robot.state === 'live' && (['off', 'arming'].includes(waldo.drive.state)
		  || waldo.drive.state === 'driving' && Object.values(waldo.drive.values).every((v) => v === 0))`)
		c.page.Tile(t, "door").WaitFrames(t, 10)
		if late := c.orders(stopped); turns.MatchString(strings.Join(late, "\n")) {
			t.Errorf("the key is still held, nobody has begun to drive again, and the camera was told %q", late)
		}
	}
	c.turn(t)
	c.page.Until(t, "document.querySelector('#drive-motors').textContent === 'door: driven by you'")
	since := len(c.camera.Output())
	c.page.Release(t, "KeyD")
	harness.Until(t, "the camera stands when the key is released", func() error {
		if got := c.orders(since); len(got) == 0 || got[len(got)-1] != stands && !strings.HasPrefix(got[len(got)-1], "Stop") {
			return fmt.Errorf("it was told %q", got)
		}
		return nil
	})
}

// TestPageTellsHowACameraIsTurned: a page of a robot without a section drive says how to write it for the camera.
func TestPageTellsHowACameraIsTurned(t *testing.T) {
	rtsp, onvif := harness.FreeAddress(t), harness.FreeAddress(t)
	fakeCamera(t, rtsp, "-onvif", onvif)
	robot := harness.StartRobot(t, harness.Options{
		Devices: fmt.Sprintf(`door: {kind: rtsp-ingest, url: "rtsp://%s/live", ptz: {onvif: "http://%s"}}`, rtsp, onvif),
	})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Until(t, `!document.querySelector('#drive-hint').hidden
	  && document.querySelector('#drive-hint-device').textContent === 'door'`)
	const want = `drive:
  device: door
  method: waldo.ptz.v1.PtzService/Move
  keys:
    pan:  {turn: 1}
    tilt: {forward: 1}
    zoom: {lift: 1}`
	if got := harness.Eval[string](t, page, "document.querySelector('#drive-hint-code').textContent"); got != want {
		t.Errorf("it says %q", got)
	}
}
