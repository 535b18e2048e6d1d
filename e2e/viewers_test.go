package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

const (
	captured = "waldo_camera_captured_total"
	encoded  = "waldo_camera_encoded_total"
)

// TestViewersShareOneEncode is the third promise: work is done once, and not at all without viewers.
func TestViewersShareOneEncode(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	metrics := robot.Device(t, "front").MetricsAddress
	if n := harness.Metric(t, metrics, captured, ""); n != 0 {
		t.Errorf("%v frames captured before anybody watched", n)
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
	capturedNow, encodedNow := harness.Metric(t, metrics, captured, "")-capturedBefore, harness.Metric(t, metrics,
		encoded, "")-encodedBefore
	// The two are read one after the other: a frame or two may come in between.
	if ratio := encodedNow / capturedNow; ratio < 0.9 || ratio > 1.1 {
		t.Errorf("%v encodes of %v frames for 3 viewers; want one each", encodedNow, capturedNow)
	}
	for _, page := range pages {
		page.Close()
	}
	harness.Until(t, "nothing is captured without viewers", func() error {
		before := harness.Metric(t, metrics, captured, "")
		watchClock(t, robot)
		if after := harness.Metric(t, metrics, captured, ""); after != before {
			return fmt.Errorf("%v frames more", after-before)
		}
		return nil
	})
}

// TestStreamsAreEncodedOnceEach connects WebRTC viewers that offer one codec each: first one of H.264, then two of
// H.264 and one of VP8 at once. The camera encodes each watched stream once per captured picture.
func TestStreamsAreEncodedOnceEach(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	metrics := robot.Device(t, "front").MetricsAddress
	page := harness.StartBrowser(t).Open(t, robot.URL+"/healthz")
	encodes := func(codec string) float64 { return harness.Metric(t, metrics, encoded, `media_type="`+codec+`"`) }
	const h264, vp8 = "video/H264", "video/VP8"
	harness.Eval[played](t, page, plays, []string{h264}, []string{})
	if n := encodes(vp8); n != 0 {
		t.Fatalf("%v pictures of VP8 were encoded for nobody", n)
	}
	three := "Promise.all([" + plays + "," + plays + "," + strings.ReplaceAll(plays, "$1", "$3") + "])"
	seen := harness.Eval[[]played](t, page, three, []string{h264}, []string{}, []string{vp8})
	after := map[string]float64{h264: encodes(h264), vp8: encodes(vp8)}
	all := harness.Metric(t, metrics, captured, "") // read later, so never less
	for i, codec := range []string{h264, h264, vp8} {
		if n := after[codec]; !strings.HasPrefix(seen[i].Codec, codec) || n < float64(seen[i].Decoded) || n > all {
			t.Errorf("viewer %d decoded %d pictures of %q; of %v captures %v were encoded as %s",
				i, seen[i].Decoded, seen[i].Codec, all, n, codec)
		}
	}
}

// watchClock waits for three heartbeats of the device, which take more than a second: enough time for frames, if there
// were any.
func watchClock(t *testing.T, robot *harness.Robot) {
	t.Helper()
	for range 4 {
		robot.Devices(t) // waits a quarter of a second for late answers
	}
}
