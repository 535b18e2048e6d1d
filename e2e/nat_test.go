package e2e

import (
	"testing"

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

// TestPlayerFromAnywhere plays with a player that knows neither STUN nor TURN, behind a symmetric NAT like the robot: the
// robot's relay lets it in.
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
	player = browser.OpenPlayer(tb, rendezvous.URL+"/r/rover/")
	player.Authorize(tb, harness.GuestToken)
	return player, rendezvous.URL + "/r/rover/whep/front"
}
