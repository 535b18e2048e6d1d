package e2e

import (
	"cmp"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// BenchmarkFirstPictureRelayed measures from a WHEP player's POST to the first picture, through a rendezvous server and
// its relay, which are 20 ms away from player and robot, each way. docs/rendezvous.md counts the round trips.
func BenchmarkFirstPictureRelayed(b *testing.B) {
	const delay = 20 * time.Millisecond
	n := internet.Start(b, internet.Config{Delay: delay})
	player, url := startPlayer(b, n)
	player.AwaitStream(b, url)
	var took []float64
	for range 30 {
		first, _ := player.First(b, url, 5000)
		took = append(took, first)
	}
	harness.Report(b, "first", "ms", took)
	b.ReportMetric(harness.Quantile(took, 0.5)/milliseconds(2*delay), "first-p50-round-trips")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPageFromAnywhere measures from when a page of a robot behind a rendezvous server begins to load to its first
// picture, for pairs of the robot's NAT and the viewer's. Site and server are 20 ms away from each other, each way.
func BenchmarkPageFromAnywhere(b *testing.B) {
	n := internet.Start(b, internet.Config{Delay: 20 * time.Millisecond})
	rendezvous := harness.StartRendezvous(b, n)
	viewer := n.Host(b)
	viewer.JoinBackbone(b, n)
	browser := harness.StartBrowser(b, harness.OnHost(b, viewer), rendezvous.Trust())
	for _, nat := range []internet.NAT{open, internet.PortRestricted, internet.Symmetric, internet.UDPBlocked,
		internet.Only443} {
		name := strings.ReplaceAll(strings.ToLower(cmp.Or(string(nat), "open")), " ", "-")
		robot := n.Host(b)
		connect(b, n, robot, nat)
		connect(b, n, viewer, nat)
		b.Run(name, func(b *testing.B) {
			r := harness.StartRobot(b, harness.Options{Name: name, Host: robot, Gateway: rendezvous.Gateway()})
			rendezvous.AwaitRobot(b, r)
			link := r.Link(b)
			var first []float64
			for range 10 {
				page := browser.Open(b, link)
				awaitPage(b, page)
				page.Until(b, `document.querySelector('[data-device="front"][data-picture]')?.dataset.picture === 'live'`)
				first = append(first, page.Now(b))
				page.Close()
			}
			harness.Report(b, "first", "ms", first)
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRobotBack measures how long after a rendezvous server serves again a robot is reached, which it lost when
// the server was killed.
func BenchmarkRobotBack(b *testing.B) {
	server := harness.StartLocalRendezvous(b)
	robot := harness.StartRobot(b, harness.Options{Name: "rover", Gateway: server.Gateway()})
	untilStatus(b, server.URL+"/r/rover/healthz", http.StatusOK)
	var back []float64
	for range 30 {
		server.Kill(b)
		untilRendezvous(b, robot, "away")
		server.Restart(b)
		began := time.Now()
		untilStatus(b, server.URL+"/r/rover/healthz", http.StatusOK)
		back = append(back, milliseconds(time.Since(began)))
	}
	harness.Report(b, "back", "ms", back)
	b.ReportMetric(0, "ns/op")
}
