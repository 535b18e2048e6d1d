package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/linktest"
)

// narrow is a link that carries a small version of a stream, and not the stream.
func narrow() linktest.Profile {
	p := linktest.Clean()
	p.Name = "narrow"
	p.FromRobot.Delay, p.FromRobot.Queue, p.FromRobot.Rate = 20*time.Millisecond, 64<<10, linktest.Constant(450e3)
	return p
}

// TestOneBadPath has somebody watch over a bad link while another one drives over a good one: who watches gets the
// small version of the picture and then, over a better link, the picture again, on the same connection. The driver's
// picture keeps its bit rate and its size all the time.
func TestOneBadPath(t *testing.T) {
	const rate, width, smallWidth = 1_500_000, 960, 640
	r := startRough(t, fmt.Sprintf("front: {kind: camera, source: test, width: %d, height: 540, fps: 20, bitrate: %d}",
		width, rate), linktest.Clean(), 1)
	host := r.net.Host(t)
	link := host.JoinOver(t, r.net, linktest.Clean(), 2)
	page := harness.StartBrowser(t, harness.OnHost(t, host)).Open(t, r.url)
	awaitPage(t, page)
	picture := page.Tile(t, "front")
	r.goFull(t, byKey)
	page.Until(t, widthIs, width)
	before := page.Connection(t)

	if err := link.Restart(narrow()); err != nil {
		t.Fatal(err)
	}
	page.Until(t, widthIs, smallWidth)
	picture.WaitFrames(t, 60)
	r.awaitFull(t, rate, width, 1)
	if n := r.encoders(t); n != 2 {
		t.Errorf("%d encoders run", n)
	}

	if err := link.Restart(linktest.Clean()); err != nil {
		t.Fatal(err)
	}
	r.awaitFull(t, rate, width, 0)
	page.Until(t, widthIs, width)
	picture.WaitFrames(t, 60)
	after := page.Connection(t) // a page that gets nothing for seconds, on a busy machine, makes another one
	if after.Peers == before.Peers && !slices.Equal(after.SSRCs, before.SSRCs) {
		t.Errorf("the streams were %v and are %v", before.SSRCs, after.SSRCs)
	}
}

// widthIs tells whether the page's picture has a width.
const widthIs = "document.querySelector('video').videoWidth === $1"

// reduced is how many viewers get a version of the front camera's stream that is less than it.
func (r *rough) reduced(tb testing.TB, version string) float64 {
	tb.Helper()
	return r.robot.GatewayMetric(tb, "waldo_gateway_stream_reduced_viewers", `version="`+version+`"`)
}

// encoders is how many encoders of the front camera run.
func (r *rough) encoders(tb testing.TB) (n int) {
	tb.Helper()
	for _, size := range []string{"usual", "small"} {
		if r.robot.Metric(tb, r.front, "waldo_camera_stream_target_bits_per_second", `size="`+size+`"`) > 0 {
			n++
		}
	}
	return n
}

// settled is how long it may take until the paths of a change are known: over ten seconds for a better one, and more
// whenever the machine is too busy to pass packets on in time, which looks like a queue.
const settled = 2 * time.Minute

// awaitFull waits until the driver gets all that the camera is configured for, because of the driver's own path, while
// so many others get the small version.
func (r *rough) awaitFull(t *testing.T, rate, width, others float64) {
	t.Helper()
	harness.UntilWithin(t, settled, "the driver gets the whole picture", func() error {
		target, small := r.gatewayMetric(t, "stream_target_bits_per_second"), r.reduced(t, "small")
		byDriver := r.robot.GatewayMetric(t, "waldo_gateway_stream_steered", `by="driver"`)
		if byDriver == 0 {
			r.goFull(t, byKey) // a page that stands still for a moment releases all keys
		}
		if target != rate || small != others || byDriver != 1 {
			return fmt.Errorf("%v bit/s, decided by the driver: %v, and %v viewers get the small version", target, byDriver,
				small)
		}
		return nil
	})
	r.page.Until(t, widthIs, width)
	r.sight.WaitFrames(t, 30)
}
