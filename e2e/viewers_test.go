package e2e

import (
	"fmt"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

const (
	captured = "waldo_camera_captured_total"
	encoded  = "waldo_camera_encoded_total"
)

// TestViewersShareOneEncode is the third promise: work is done once, and not at all when nobody looks.
func TestViewersShareOneEncode(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	metrics := robot.Device(t, "front").MetricsAddress
	if n := harness.Metric(t, metrics, captured, ""); n != 0 {
		t.Errorf("%v frames captured before anybody looked", n)
	}
	browser := harness.StartBrowser(t)
	var pages []*harness.Page
	var tiles []*harness.Tile
	for range 3 {
		page := browser.Open(t, robot.URL)
		pages, tiles = append(pages, page), append(tiles, page.Tile(t, "front"))
	}
	capturedBefore, encodedBefore := harness.Metric(t, metrics, captured, ""), harness.Metric(t, metrics, encoded, "")
	for _, tile := range tiles {
		tile.WaitFrames(t, 60)
	}
	capturedNow, encodedNow := harness.Metric(t, metrics, captured, "")-capturedBefore, harness.Metric(t, metrics, encoded, "")-encodedBefore
	// The two are read one after the other: a frame or two may lie between.
	if ratio := encodedNow / capturedNow; ratio < 0.9 || ratio > 1.1 {
		t.Errorf("%v encodes of %v frames for 3 viewers; want one each", encodedNow, capturedNow)
	}
	for _, page := range pages {
		page.Close()
	}
	harness.Until(t, "nothing is captured with nobody looking", func() error {
		before := harness.Metric(t, metrics, captured, "")
		watchClock(t, robot)
		if after := harness.Metric(t, metrics, captured, ""); after != before {
			return fmt.Errorf("%v frames more", after-before)
		}
		return nil
	})
}

// watchClock lets the device say three times that it lives, which takes more than a second: time enough for frames, if there were any.
func watchClock(t *testing.T, robot *harness.Robot) {
	t.Helper()
	for range 4 {
		robot.Devices(t) // waits a quarter of a second for late answers
	}
}
