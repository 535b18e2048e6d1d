package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

func TestPageShowsTheCamera(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	front := page.Tile(t, "front")
	front.WaitFrames(t, 30)
	size := harness.Eval[[]int](t, page, `(() => {
	  const v = document.querySelector('[data-device="front"] video');
	  return [v.videoWidth, v.videoHeight];
	})()`)
	if !slices.Equal(size, []int{640, 480}) {
		t.Errorf("the video is %v, want 640x480", size)
	}
	if title := harness.Eval[string](t, page, "document.body.innerText"); title == "" {
		t.Error("the page has no text")
	}
}

// TestPictures shows the page at the sizes of a desktop and of a phone, and saves screenshots if WALDO_PICTURES names
// a folder.
func TestPictures(t *testing.T) {
	_, page := startRover(t)
	begin(t, page)
	page.Click(t, "#sounds .listen")
	page.Press(t, "KeyT")
	page.Until(t, "document.querySelector('.sound').dataset.hearing === 'live' && "+
		"document.querySelector('.sound').dataset.talking === 'live'")
	page.Resize(t, 1280, 800)
	hold(t, page, "KeyW", "x", "v > 600")
	hold(t, page, "KeyA", "heading", "v > 500")
	for _, screen := range []struct {
		name          string
		width, height int64
	}{{"page", 1280, 800}, {"phone", 390, 844}} {
		page.Resize(t, screen.width, screen.height)
		page.Until(t, "innerWidth === $1", screen.width)
		if wide := harness.Eval[int64](t, page, "document.documentElement.scrollWidth"); wide > screen.width {
			t.Errorf("%s: the page is %d pixels wide on a screen of %d", screen.name, wide, screen.width)
		}
		if dir := os.Getenv("WALDO_PICTURES"); dir != "" {
			page.Screenshot(t, filepath.Join(dir, screen.name+".png"))
		}
	}
}

// TestCameraCrash is the first promise: the camera process dies and is back on the same connection, track, and SSRC.
func TestCameraCrash(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	front := page.Tile(t, "front")
	before := page.Connection(t)
	for i := range 5 {
		t.Run(fmt.Sprintf("kill %d", i+1), func(t *testing.T) {
			camera := robot.Device(t, "front")
			harness.Crash(t, camera.PID)
			awaitNewLife(t, robot, camera)
			front.WaitState(t, "live")
			front.WaitFrames(t, 10)
			if after := page.Connection(t); !after.Same(before) {
				t.Errorf("the connection changed:\n%+v\n%+v", before, after)
			}
		})
	}
}

// TestCameraStoppedByHand runs each service on its own, as in a deployment of single services.
func TestCameraStoppedByHand(t *testing.T) {
	address, web := harness.FreeAddress(t), harness.FreeAddress(t)
	env := []string{"WALDO_NATS=nats://" + address, "WALDO_ROBOT=e2e"}
	harness.StartBus(t, address)
	harness.Start(t, env, harness.Bin(t, "waldo-gateway"), "--http", web, "--ice", harness.FreeAddress(t))
	startCamera := func() *harness.Process {
		return harness.Start(t, env, harness.Bin(t, "waldo-camera"), "--device", "front", "--source", "test", "--width",
			"640", "--height", "480")
	}
	camera := startCamera()
	robot := harness.Robot{URL: "http://" + web, NATS: "nats://" + address}
	robot.WaitServing(t)
	page := harness.StartBrowser(t).Open(t, robot.URL)
	front := page.Tile(t, "front")
	before := page.Connection(t)

	if code := camera.Stop(t); code != 0 {
		t.Errorf("the camera ended with %d", code)
	}
	front.WaitState(t, "stale")
	page.Until(t, `document.querySelector('[data-device="front"]').textContent.match(/away|gone|stopp/i)`)
	startCamera()
	front.WaitState(t, "live")
	front.WaitFrames(t, 10)
	if after := page.Connection(t); !after.Same(before) {
		t.Errorf("the connection changed:\n%+v\n%+v", before, after)
	}
}
