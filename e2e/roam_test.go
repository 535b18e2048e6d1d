package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// roam is a drive by somebody on the move: the page is behind a router, the robot has an address that everybody reaches.
type roam struct {
	*ride
	viewer      *internet.Host
	home, phone *internet.Router
	front       *harness.Tile
}

func startRoam(tb testing.TB) *roam {
	tb.Helper()
	n := internet.Start(tb, internet.Config{Delay: 20 * time.Millisecond})
	r := &roam{
		ride:   &ride{tb: tb, wire: harness.StartWire(tb)},
		viewer: n.Host(tb), home: n.Router(tb, internet.PortRestricted), phone: n.Router(tb, internet.Symmetric),
	}
	host := n.Host(tb)
	host.JoinBackbone(tb, n)
	r.viewer.Join(tb, r.home)
	r.robot = harness.StartRobot(tb, harness.Options{Host: host, Drive: harness.RoverDrive,
		Devices: "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}\n" + r.wire.Device()})
	r.url = r.robot.URL + "/?token=" + harness.Token
	r.robot.Device(tb, "motors")
	r.browser = harness.StartBrowser(tb, harness.OnHost(tb, r.viewer))
	r.open()
	r.front = r.page.Tile(tb, "front")
	return r
}

// pathChange is a way in which the path of packets between a page and a robot changes.
type pathChange struct {
	name string
	// change makes it happen, and returns when the path was lost, and how to undo it.
	change func(testing.TB, *roam) (lost time.Time, undo func())
}

var pathChanges = []pathChange{
	{"Wi-Fi to 4G", func(tb testing.TB, r *roam) (time.Time, func()) {
		lost := time.Now()
		r.viewer.Join(tb, r.phone)
		return lost, func() { r.viewer.Join(tb, r.home) }
	}},
	{"router forgets its mappings", func(tb testing.TB, r *roam) (time.Time, func()) {
		return r.home.Rebind(tb), func() {}
	}},
	{"router forgets its mappings of UDP", func(tb testing.TB, r *roam) (time.Time, func()) {
		return r.home.RebindUDP(tb), func() {}
	}},
}

// BenchmarkPathChange measures, 30 times and more for each kind, how long after a change of the path the picture is back,
// and how long the motors still moved.
func BenchmarkPathChange(b *testing.B) {
	for _, c := range pathChanges {
		b.Run(c.name, func(b *testing.B) {
			r := startRoam(b)
			var back, stopped []float64
			rebuilt := 0
			for range 30 {
				r.goFull(b, byKey)
				peers := harness.Eval[int](b, r.page, "peers.length")
				at := r.page.Now(b)
				lost, undo := c.change(b, r)
				back = append(back, r.pictureBack(b, at))
				stopped = append(stopped, milliseconds(r.stoppedAfter(lost)))
				if harness.Eval[int](b, r.page, "peers.length") != peers {
					rebuilt++
				}
				undo()
				r.page.Until(b, "waldo.robot.state === 'live'")
				r.front.WaitState(b, "live")
				r.front.WaitFrames(b, 30)
			}
			harness.Report(b, "back", "ms", back)
			harness.Report(b, "stopped", "ms", stopped)
			b.ReportMetric(float64(rebuilt), "rebuilt")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// pictureBack waits until pictures have come for a second after the longest pause since a moment, and returns how long
// after the moment the first of them was shown, in ms.
func (r *roam) pictureBack(tb testing.TB, at float64) float64 {
	tb.Helper()
	r.page.Until(tb, `((frames) => {
	  const after = frames.filter((f) => f >= $1 - 100);
	  const pause = Math.max(0, ...after.slice(1).map((f, i) => f - after[i]));
	  const end = after.find((f, i) => i > 0 && f - after[i - 1] === pause);
	  return pause > 300 && after.filter((f) => f > end && f < end + 1000).length >= 20 && after.at(-1) > end + 1000;
	})(tiles.front.frames)`, at)
	return r.front.Gap(tb, at) - at
}

// stoppedAfter returns how long after a moment the motors still moved before they stood still for the first time; 0 if
// they did not stop.
func (r *roam) stoppedAfter(lost time.Time) time.Duration {
	motions := r.wire.Motions(lost)
	i := slices.IndexFunc(motions, func(m harness.Motion) bool { return !m.Moves() })
	if i < 0 {
		return 0
	}
	return motions[i].At.Sub(lost)
}

// lapses are changes of the path as they happen to people: without any path for a while, longer than the lease lasts, or
// with another one at once.
var lapses = []struct {
	name   string
	change func(testing.TB, *roam) (lost time.Time, find func())
	long   bool
}{
	{"Wi-Fi to 4G", func(tb testing.TB, r *roam) (time.Time, func()) {
		lost := time.Now()
		r.viewer.Leave(tb)
		return lost, func() { r.viewer.Join(tb, r.phone) }
	}, true},
	{"4G to Wi-Fi", func(tb testing.TB, r *roam) (time.Time, func()) {
		lost := time.Now()
		r.viewer.Leave(tb)
		return lost, func() { r.viewer.Join(tb, r.home) }
	}, true},
	{"router forgets its mappings", func(tb testing.TB, r *roam) (time.Time, func()) {
		return r.home.Rebind(tb), func() {}
	}, false},
	{"router forgets its mappings of UDP", func(tb testing.TB, r *roam) (time.Time, func()) {
		return r.home.RebindUDP(tb), func() {}
	}, false},
}

// TestPathChanges changes the path in mid-drive. The robot stops, the picture comes back on the same connection, and the
// robot drives again by the rules: after a lapse longer than the lease once its driver has released the controls.
func TestPathChanges(t *testing.T) {
	r := startRoam(t)
	before := r.page.Connection(t)
	for _, l := range lapses {
		t.Run(l.name, func(t *testing.T) {
			r.goFull(t, byKey)
			lost, find := l.change(t, r)
			stopped := r.wire.AwaitMotion(t, lost, "the motors stop", func(m harness.Motion) bool { return !m.Moves() }).At
			if l.long {
				r.wire.AwaitStill(t, lost, outlast)
			}
			find()
			r.page.Until(t, "waldo.robot.state === 'live' && waldo.robot.mediaState === 'connected'")
			r.front.WaitState(t, "live")
			r.front.WaitFrames(t, 30)
			if l.long {
				r.page.Until(t, atRest)
				r.wire.MustStayStill(t, stopped)
			}
			byKey.rest(t, r.page)
			r.goFull(t, byKey)
			byKey.rest(t, r.page)
			if after := r.page.Connection(t); after.Peers != before.Peers || !slices.Equal(after.SSRCs, before.SSRCs) {
				t.Errorf("the connection is another one: %d of SSRCs %v, before %d of %v", after.Peers, after.SSRCs,
					before.Peers, before.SSRCs)
			}
			before = r.page.Connection(t)
		})
	}
}
