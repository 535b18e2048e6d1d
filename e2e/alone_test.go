package e2e

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestWithoutNetwork opens the page on a robot without a network interface, where WebRTC has no candidates: the page
// says so, the picture moves, the robot can be driven, and the motors stop when the tab goes away.
func TestWithoutNetwork(t *testing.T) {
	if !harness.Alone(t) {
		return
	}
	r := startRide(t, nil, "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}")
	tile := r.page.Tile(t, "front")
	r.page.Until(t, "document.querySelector('#way').textContent.includes('no network interface')")
	if candidates := harness.Eval[bool](t, r.page, "peers.some((p) => p.connectionState === 'connected')"); candidates {
		t.Fatal("WebRTC has found a path: this test proves nothing")
	}
	tile.WaitFrames(t, 60)
	age := harness.Eval[float64](t, r.page, "waldo.robot.video('front').ageMs")
	t.Logf("captured to shown: %.0f ms", age)
	if age <= 0 || age > 500 {
		t.Errorf("pictures are %v ms old", age)
	}
	r.goFull(t, byKey)
	r.page.Until(t, "document.querySelector('#drive').dataset.motors === 'driven'")

	resume := harness.Freeze(t, r.robot.Device(t, "front").PID)
	tile.WaitState(t, "stale")
	resume()
	tile.WaitState(t, "live")

	r.goFull(t, byKey)
	closed := time.Now()
	r.page.Close()
	r.wire.AwaitStill(t, closed, quiet)
}
