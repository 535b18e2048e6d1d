package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// roam is a drive by somebody on the move, behind a router. The robot has an address that everybody reaches, or it is
// away: behind a router, too, and reached through a rendezvous server.
type roam struct {
	*ride
	viewer, host  *internet.Host
	home, phone   *internet.Router // the viewer's networks
	garage, modem *internet.Router // the robot's, if it is away
	front         *harness.Tile
}

func startRoam(tb testing.TB, far bool) *roam {
	tb.Helper()
	n := internet.Start(tb, internet.Config{Delay: 20 * time.Millisecond})
	r := &roam{
		ride: &ride{tb: tb, wire: harness.StartWire(tb)}, viewer: n.Host(tb), host: n.Host(tb),
		home: n.Router(tb, internet.PortRestricted), phone: n.Router(tb, internet.Symmetric),
	}
	o := harness.Options{Host: r.host, Drive: harness.RoverDrive,
		Devices: "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}\n" + r.wire.Device()}
	r.viewer.Join(tb, r.home)
	chromium := []chromedp.ExecAllocatorOption{harness.OnHost(tb, r.viewer)}
	if far {
		rendezvous := harness.StartRendezvous(tb, n)
		r.garage, r.modem = n.Router(tb, internet.PortRestricted), n.Router(tb, internet.PortRestricted)
		r.host.Join(tb, r.garage)
		o.Gateway = rendezvous.Gateway()
		r.robot = harness.StartRobot(tb, o)
		rendezvous.AwaitRobot(tb, r.robot)
		r.url = r.robot.Link(tb)
		chromium = append(chromium, rendezvous.Trust())
	} else {
		r.host.JoinBackbone(tb, n)
		r.robot = harness.StartRobot(tb, o)
		r.url = r.robot.URL + "/?token=" + harness.Token
	}
	r.robot.Device(tb, "motors")
	r.browser = harness.StartBrowser(tb, chromium...)
	r.open()
	r.front = r.page.Tile(tb, "front")
	return r
}

// pathChange is a way in which the path of packets between a page and a robot changes.
type pathChange struct {
	name string
	far  bool // the robot is away
	// change makes it happen, and returns when the path was lost, and how to undo it.
	change func(testing.TB, *roam) (lost time.Time, undo func())
}

var pathChanges = []pathChange{
	{"Wi-Fi to 4G", false, toPhone},
	{"router forgets its mappings", false, rebind},
	{"router forgets its mappings of UDP", false, rebindUDP},
	{"away, Wi-Fi to 4G", true, toPhone},
	{"away, router forgets its mappings", true, rebind},
	{"away, robot's Wi-Fi to 4G", true, toModem},
}

func toPhone(tb testing.TB, r *roam) (lost time.Time, undo func()) {
	tb.Helper()
	lost = time.Now()
	r.viewer.Join(tb, r.phone)
	return lost, func() { r.viewer.Join(tb, r.home) }
}

func toModem(tb testing.TB, r *roam) (lost time.Time, undo func()) {
	tb.Helper()
	lost = time.Now()
	r.host.Join(tb, r.modem)
	return lost, func() { r.host.Join(tb, r.garage) }
}

func rebind(tb testing.TB, r *roam) (lost time.Time, undo func()) {
	tb.Helper()
	return r.home.Rebind(tb), func() {}
}

func rebindUDP(tb testing.TB, r *roam) (lost time.Time, undo func()) {
	tb.Helper()
	return r.home.RebindUDP(tb), func() {}
}

// BenchmarkPathChange measures, 30 times and more for each kind, how long after a change of the path the picture is
// back, and how long the motors still moved.
func BenchmarkPathChange(b *testing.B) {
	for _, c := range pathChanges {
		b.Run(c.name, func(b *testing.B) {
			r := startRoam(b, c.far)
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

// pictureBack waits until pictures have come for a second after the longest pause since a moment, however busy the
// machine, and returns how long after the moment the first of them was shown, in ms.
func (r *roam) pictureBack(tb testing.TB, at float64) float64 {
	tb.Helper()
	r.page.Until(tb, `((frames) => {
	  const after = frames.filter((f) => f >= $1 - 100);
	  const pause = Math.max(0, ...after.slice(1).map((f, i) => f - after[i]));
	  const end = after.find((f, i) => i > 0 && f - after[i - 1] === pause);
	  return after.filter((f) => f >= end).length >= 20 && after.at(-1) > end + 1000;
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

// lapse is a change of the path as it happens to people: without any path for a while, longer than the lease lasts, or
// with another one at once.
type lapse struct {
	name   string
	change func(testing.TB, *roam) (lost time.Time, find func())
	long   bool
}

// wander is a host that leaves its network, and finds another one later.
func wander(who func(*roam) *internet.Host,
	to func(*roam) *internet.Router) func(testing.TB, *roam) (time.Time, func()) {
	return func(tb testing.TB, r *roam) (time.Time, func()) {
		lost := time.Now()
		who(r).Leave(tb)
		return lost, func() { who(r).Join(tb, to(r)) }
	}
}

func theViewer(r *roam) *internet.Host  { return r.viewer }
func theRobot(r *roam) *internet.Host   { return r.host }
func theHome(r *roam) *internet.Router  { return r.home }
func thePhone(r *roam) *internet.Router { return r.phone }
func theModem(r *roam) *internet.Router { return r.modem }

// TestPathChanges changes the path in mid-drive. The robot stops, the picture comes back on the same connection, and
// the robot drives again by the rules: after a lapse longer than the lease once its driver has released the controls.
func TestPathChanges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		far    bool
		lapses []lapse
	}{
		{"robot with an address", false, []lapse{
			{"Wi-Fi to 4G", wander(theViewer, thePhone), true},
			{"4G to Wi-Fi", wander(theViewer, theHome), true},
			{"router forgets its mappings", rebind, false},
			{"router forgets its mappings of UDP", rebindUDP, false},
		}},
		{"robot behind a rendezvous server", true, []lapse{
			{"robot's Wi-Fi to 4G", wander(theRobot, theModem), true},
			{"router forgets its mappings of UDP", rebindUDP, false},
			{"Wi-Fi to 4G", wander(theViewer, thePhone), true},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRoam(t, tt.far)
			for _, l := range tt.lapses {
				t.Run(l.name, func(t *testing.T) { r.survive(t, l) })
			}
		})
	}
}

// survive drives through a lapse.
func (r *roam) survive(t *testing.T, l lapse) {
	t.Helper()
	before := r.page.Connection(t)
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
}
