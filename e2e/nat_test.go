package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// open is an address of one's own: neither NAT nor firewall.
const open = internet.NAT("")

// connect puts a host behind a new router.
func connect(tb testing.TB, n *internet.Internet, h *internet.Host, nat internet.NAT) *internet.Router {
	tb.Helper()
	if nat == open {
		h.JoinBackbone(tb, n)
		return nil
	}
	r := n.Router(tb, nat)
	h.Join(tb, r)
	return r
}

// away is a robot that people reach through a rendezvous server, and where its motors are.
type away struct {
	robot *harness.Robot
	host  *internet.Host
	wire  *harness.Wire
	link  string
}

// startAway runs a robot behind a NAT.
func startAway(tb testing.TB, n *internet.Internet, r *harness.Rendezvous, nat internet.NAT, name string) *away {
	tb.Helper()
	a := &away{host: n.Host(tb), wire: harness.StartWire(tb)}
	connect(tb, n, a.host, nat)
	a.robot = harness.StartRobot(tb, harness.Options{
		Name: name, Host: a.host, Gateway: r.Gateway(), Drive: harness.RoverDrive,
		Devices: "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}\n" + voice + "\n" + a.wire.Device(),
	})
	r.AwaitRobot(tb, a.robot)
	a.link = a.robot.Link(tb)
	return a
}

// open opens the robot's page, and takes the wheel.
func (a *away) open(tb testing.TB, browser *harness.Browser) *ride {
	tb.Helper()
	r := &ride{tb: tb, wire: a.wire, robot: a.robot, url: a.link, browser: browser}
	r.open()
	return r
}

// way is how the packets of the page's connection get to the robot: "direct" or "relayed"; "" without one.
func (r *ride) way(tb testing.TB) string {
	tb.Helper()
	return harness.Eval[string](tb, r.page, `(async () => {
	  const stats = await waldo.robot.peerConnection?.getStats();
	  const all = [...(stats?.values() ?? [])];
	  const pair = stats?.get(all.find((s) => s.type === 'transport')?.selectedCandidatePairId);
	  if (!pair) return '';
	  const types = [pair.localCandidateId, pair.remoteCandidateId].map((id) => stats.get(id)?.candidateType);
	  return types.includes('relay') ? 'relayed' : 'direct';
	})()`)
}

// awaitWay waits until the way is the best that there is.
func (r *ride) awaitWay(tb testing.TB, want string) {
	tb.Helper()
	harness.Until(tb, "the way to the robot", func() error {
		if got := r.way(tb); got != want {
			return fmt.Errorf("it is %q, not %q", cmp.Or(got, "none"), want)
		}
		return nil
	})
}

// awaitSound waits until the page hears the robot.
func (r *ride) awaitSound(tb testing.TB) {
	tb.Helper()
	listen(tb, r.page, "voice")
	r.page.Until(tb, `waldo.robot.peerConnection.getStats().then((stats) =>
	  [...stats.values()].some((s) => s.type === 'inbound-rtp' && s.kind === 'audio' && s.totalAudioEnergy > 0))`)
}

// TestNAT has people watch, hear and drive robots through a rendezvous server, each behind NATs and firewalls.
func TestNAT(t *testing.T) {
	n := internet.Start(t, internet.Config{Delay: 20 * time.Millisecond})
	rendezvous := harness.StartRendezvous(t, n)
	viewer := n.Host(t)
	viewer.JoinBackbone(t, n)
	browser := harness.StartBrowser(t, harness.OnHost(t, viewer), rendezvous.Trust())
	for _, robot := range []struct {
		nat internet.NAT
		// The viewer's, and how packets get to the robot.
		direct, relayed []internet.NAT
	}{
		{open, []internet.NAT{open, internet.Symmetric, internet.UDPBlocked}, nil}, // without UDP it is TCP
		{internet.FullCone, []internet.NAT{internet.FullCone}, nil},
		{internet.PortRestricted, []internet.NAT{internet.PortRestricted}, []internet.NAT{internet.Symmetric}},
		{internet.Symmetric, nil, []internet.NAT{internet.PortRestricted, internet.Symmetric}},
		{internet.UDPBlocked, nil, []internet.NAT{internet.PortRestricted}},
		{internet.Only443, nil, []internet.NAT{internet.Only443}},
	} {
		name := cmp.Or(strings.ReplaceAll(strings.ToLower(string(robot.nat)), " ", "-"), "open")
		all := t // routers outlast who is behind them
		t.Run("robot "+name, func(t *testing.T) {
			a := startAway(t, n, rendezvous, robot.nat, name)
			for want, nats := range map[string][]internet.NAT{"direct": robot.direct, "relayed": robot.relayed} {
				for _, nat := range nats {
					t.Run(cmp.Or(string(nat), "open"), func(t *testing.T) {
						connect(all, n, viewer, nat)
						r := a.open(t, browser)
						defer r.page.Close()
						r.page.Tile(t, "front").WaitFrames(t, 30)
						r.goFull(t, byKey)
						byKey.rest(t, r.page)
						r.awaitSound(t)
						r.awaitWay(t, want)
					})
				}
			}
		})
	}
}

// TestRendezvousCrash kills the server while people watch. Whoever has a direct path goes on watching and driving; the
// relay is gone with the server, so that the others are back with it. The robot comes back by itself.
func TestRendezvousCrash(t *testing.T) {
	n := internet.Start(t, internet.Config{Delay: 20 * time.Millisecond})
	rendezvous := harness.StartRendezvous(t, n)
	a := startAway(t, n, rendezvous, internet.PortRestricted, "rover")
	var rides []*ride
	for _, nat := range []internet.NAT{internet.PortRestricted, internet.Symmetric} {
		viewer := n.Host(t)
		connect(t, n, viewer, nat)
		r := a.open(t, harness.StartBrowser(t, harness.OnHost(t, viewer), rendezvous.Trust()))
		r.page.Tile(t, "front").WaitFrames(t, 30)
		rides = append(rides, r)
	}
	direct, relayed := rides[0], rides[1]
	direct.awaitWay(t, "direct")
	relayed.awaitWay(t, "relayed")
	direct.goFull(t, byKey)
	before := direct.page.Connection(t)

	rendezvous.Kill(t)
	relayed.page.Until(t, `document.querySelector('[data-device="front"][data-picture]').dataset.picture === 'stale'`)
	harness.Eval[any](t, direct.page, "window.shown = tiles.front.frames.length")
	direct.page.Until(t, "tiles.front.frames.length > shown + 60")
	direct.goFull(t, byKey)
	byKey.rest(t, direct.page)

	rendezvous.Restart(t)
	relayed.page.Until(t, `document.querySelector('[data-device="front"][data-picture]').dataset.picture === 'live'`)
	relayed.awaitWay(t, "relayed")
	direct.page.Until(t, "waldo.robot.state === 'live'")
	if after := direct.page.Connection(t); !after.Same(before) {
		t.Errorf("the direct connection changed: %d peers with SSRCs %v, before %d with %v", after.Peers, after.SSRCs,
			before.Peers, before.SSRCs)
	}
	direct.goFull(t, byKey)
	byKey.rest(t, direct.page)
}

// TestSecondRobot starts a robot with the name of another.
func TestSecondRobot(t *testing.T) {
	n := internet.Start(t, internet.Config{})
	rendezvous := harness.StartRendezvous(t, n)
	first := startAway(t, n, rendezvous, internet.PortRestricted, "rover")
	host := n.Host(t)
	connect(t, n, host, internet.Symmetric)
	second := harness.StartRobot(t, harness.Options{Host: host, Name: "rover", Gateway: rendezvous.Gateway()})
	harness.Until(t, "the second robot is told", func() error {
		if out := second.Output(); !strings.Contains(out, "another robot has the name rover") {
			return errors.New(out)
		}
		return nil
	})
	viewer := n.Host(t)
	viewer.JoinBackbone(t, n)
	browser := harness.StartBrowser(t, harness.OnHost(t, viewer), rendezvous.Trust())
	r := first.open(t, browser)
	r.page.Tile(t, "front").WaitFrames(t, 30)
	r.goFull(t, byKey)
	byKey.rest(t, r.page)
}

// TestPlayerFromAnywhere plays with a player that knows neither STUN nor TURN, behind a symmetric NAT like the robot:
// the robot's relay lets it in.
func TestPlayerFromAnywhere(t *testing.T) {
	n := internet.Start(t, internet.Config{})
	player, url := startPlayer(t, n)
	player.AwaitStream(t, url)
}

// startPlayer runs a robot and a player behind symmetric NATs.
func startPlayer(tb testing.TB, n *internet.Internet) (player *harness.Player, url string) {
	tb.Helper()
	rendezvous := harness.StartRendezvous(tb, n)
	viewer, host := n.Host(tb), n.Host(tb)
	connect(tb, n, viewer, internet.Symmetric)
	connect(tb, n, host, internet.Symmetric)
	robot := harness.StartRobot(tb, harness.Options{Host: host, Name: "rover", Gateway: rendezvous.Gateway()})
	rendezvous.AwaitRobot(tb, robot)
	browser := harness.StartBrowser(tb, harness.OnHost(tb, viewer), rendezvous.Trust())
	player = browser.OpenPlayer(tb, rendezvous.URL+"/healthz")
	player.Authorize(tb, harness.GuestToken)
	return player, rendezvous.URL + "/r/rover/whep/front"
}
