package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
	"github.com/waldo-robot/waldo/pkg/linktest"
)

// rough is a drive by somebody whose whole network is a rough link: the page, the WebSocket and WebRTC.
type rough struct {
	*ride
	net   *internet.Internet
	link  *linktest.Link
	front harness.Device
	sight *harness.Tile
}

// startRough starts a robot with one camera and a page that drives it, over a link as a profile begins.
func startRough(tb testing.TB, camera string, p linktest.Profile, seed uint64) *rough {
	tb.Helper()
	n := internet.Start(tb, internet.Config{})
	r := &rough{ride: &ride{tb: tb, wire: harness.StartWire(tb)}, net: n}
	r.robot = harness.StartRobot(tb, harness.Options{Host: n.Server(), Drive: harness.RoverDrive,
		Devices: camera + "\n" + r.wire.Device()})
	r.url = r.robot.URL + "/?token=" + harness.Token
	r.front = r.robot.Device(tb, "front")
	r.robot.Device(tb, "motors")
	viewer := n.Host(tb)
	r.link = viewer.JoinOver(tb, n, p.Steady(), seed)
	r.browser = harness.StartBrowser(tb, harness.OnHost(tb, viewer))
	r.open()
	r.sight = r.page.Tile(tb, "front")
	return r
}

// gatewayMetric is a counter of the gateway.
func (r *rough) gatewayMetric(tb testing.TB, name string) float64 {
	tb.Helper()
	return r.robot.GatewayMetric(tb, "waldo_gateway_"+name, `device="front"`)
}

// commands are how many commands the motors' process has accepted, and refused.
func (r *rough) commands(tb testing.TB) (accepted, refused float64) {
	tb.Helper()
	motors := r.robot.Device(tb, "motors")
	all := r.robot.Metric(tb, motors, "waldo_control_commands_total", "verdict")
	accepted = r.robot.Metric(tb, motors, "waldo_control_commands_total", `"accepted"`)
	return accepted, all - accepted
}

var errNotYet = errors.New("not yet")

// TestRoughNetworks drives over every profile: the picture keeps coming, commands are carried out, packets that are
// sent again are the smaller part, the queue of the link is not flooded, and when the link is cut the motors stop and
// everything comes back.
func TestRoughNetworks(t *testing.T) {
	for i, p := range linktest.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			r := startRough(t, "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}", p, uint64(i))
			r.drive(t, p)
			r.outlive(t)
		})
	}
}

// TestStepDown lets the rate of the link fall from 3 to 0.5 Mbit/s and come back, with three seeds: the picture keeps
// coming, the queue does not overflow by much, and the encoder gets its rate back.
func TestStepDown(t *testing.T) {
	const down, back, rate = 5 * time.Second, 12 * time.Second, 2_000_000
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			p := linktest.StepDown(64<<10, down, back)
			r := startRough(t, fmt.Sprintf("front: {kind: camera, source: test, width: 640, height: 480, fps: 30, bitrate: %d}",
				rate), p, seed)
			r.goFull(t, byKey)
			began := time.Now()
			if err := r.link.Restart(p); err != nil {
				t.Fatal(err)
			}
			r.awaitTarget(t, "has fallen", func(bps float64) bool { return bps < 600_000 })
			r.sight.WaitFrames(t, 30)
			r.awaitSecond(t, began, back)
			r.awaitTarget(t, "is back", func(bps float64) bool { return bps > 0.8*rate })
			r.sight.WaitFrames(t, 60)
			r.goFull(t, byKey)
			r.check(t)
		})
	}
}

// awaitSecond returns at a time after a moment.
func (r *rough) awaitSecond(t *testing.T, since time.Time, after time.Duration) {
	t.Helper()
	harness.Until(t, fmt.Sprintf("%v have passed", after), func() error {
		if time.Since(since) < after {
			return errNotYet
		}
		return nil
	})
}

// awaitTarget waits until the bit rate that the encoder shall have is wanted.
func (r *rough) awaitTarget(t *testing.T, what string, wanted func(bps float64) bool) {
	t.Helper()
	harness.Until(t, "the bit rate "+what, func() error {
		if bps := r.gatewayMetric(t, "stream_target_bits_per_second"); !wanted(bps) {
			return fmt.Errorf("%.0f bit/s", bps)
		}
		return nil
	})
}

// drive drives for as long as the profile needs to show all its sides.
func (r *rough) drive(t *testing.T, p linktest.Profile) {
	t.Helper()
	const pictures = 120
	span := max(5*time.Second, p.FromRobot.Every)
	began := time.Now()
	if err := r.link.Restart(p); err != nil {
		t.Fatal(err)
	}
	r.goFull(t, byKey)
	r.sight.WaitFrames(t, pictures)
	r.awaitSecond(t, began, span)
	r.sight.WaitFrames(t, pictures/2)
	r.goFull(t, byKey)
	r.check(t)
}

// check checks what must be true of every drive.
func (r *rough) check(t *testing.T) {
	t.Helper()
	sent, again := r.gatewayMetric(t, "rtp_packets_total"), r.gatewayMetric(t, "rtp_packets_resent_total")
	accepted, refused := r.commands(t)
	stats := r.link.FromRobot.Stats()
	t.Logf("sent %.0f packets, %.0f again; of %d on the link %d overflowed, %d were lost; %.0f commands accepted, %.0f "+
		"refused; the machine delayed packets by %v (p99)", sent, again, stats.Offered.Packets, stats.Overflowed.Packets,
		stats.Lost.Packets, accepted, refused, stats.Late.Quantile(0.99))
	if again > 0.3*sent {
		t.Errorf("%.0f packets were sent again, of %.0f", again, sent)
	}
	if o := stats.Overflowed.Packets; float64(o) > 0.1*float64(stats.Offered.Packets) {
		t.Errorf("the queue of the link overflowed by %d packets of %d", o, stats.Offered.Packets)
	}
	if accepted < 30 {
		t.Errorf("%.0f commands were accepted", accepted)
	}
}

// outlive cuts the link in mid-drive, and joins it.
func (r *rough) outlive(t *testing.T) {
	t.Helper()
	began := time.Now()
	r.link.Cut()
	stopped := r.wire.AwaitStill(t, began, outlast)
	r.link.Join()
	r.page.Until(t, "waldo.robot.state === 'live' && ("+atRest+")")
	r.wire.MustStayStill(t, stopped)
	byKey.rest(t, r.page)
	r.sight.WaitState(t, "live")
	r.sight.WaitFrames(t, 30)
	r.goFull(t, byKey)
	byKey.rest(t, r.page)
	t.Logf("the motors stopped %v after the cut", stopped.Sub(began))
}
