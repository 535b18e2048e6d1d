package gateway_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/peer"
	"github.com/waldo-robot/waldo/rendezvous/relay"
	rendezvous "github.com/waldo-robot/waldo/rendezvous/server"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// shortLived is a relay on loopback whose credentials end soon.
type shortLived struct {
	*relay.Relay
	life    time.Duration
	metrics *prometheus.Registry
	given   chan struct{} // gets a token whenever credentials are given to the robot
}

func startShortLived(t *testing.T, life time.Duration) *shortLived {
	t.Helper()
	s := &shortLived{life: life, metrics: prometheus.NewRegistry(), given: make(chan struct{}, 100)}
	var err error
	s.Relay, err = relay.New(relay.Config{
		Public: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, UDP: []string{"127.0.0.1:0"}, Life: life, Metrics: s.metrics,
		Permit: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: testLog(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// servers is what the rendezvous server tells its robot.
func (s *shortLived) servers(robot string) tunnel.ICEServers {
	s.given <- struct{}{}
	c := s.Credentials(robot, "")
	return tunnel.ICEServers{LifetimeSeconds: int64(s.life / time.Second), Servers: []tunnel.ICEServer{{
		URLs: []string{"turn:" + s.UDP()[0].String()}, Username: c.Username, Credential: c.Password,
	}}}
}

// TestRenewedCredentials: a peer that reaches the robot only by a relay goes on watching, on the same connection, while
// its credentials end again and again.
func TestRenewedCredentials(t *testing.T) {
	r := startShortLived(t, 5*time.Second)
	f := newFarAt(t, rendezvous.Config{ICE: r.servers}, nil)
	cam, err := fakecam.Start(f.bus.URL(), bus.Address{Robot: "demo", Device: "front"}, fakecam.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Stop)
	ctx, cancel := context.WithTimeout(t.Context(), 2*watcher.Timeout)
	defer cancel()
	robot, err := peer.Dial(ctx, f.link+"#key="+f.key, peer.Options{
		Token: secret, RelayOnly: true, Known: f.known, Log: testLog(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(robot.Close)
	if err := robot.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	frames, stop := pull(robot.Camera("front").Frames(ctx, 8))
	defer stop()
	d := decodable{t: t}
	for renewals := 0; time.Since(began) < 2*r.life+r.life/2 || renewals < 4; {
		select {
		case <-r.given:
			renewals++
		default:
		}
		frame, err := frames()
		if err != nil {
			t.Fatal(err)
		}
		d.see(frame)
	}
	if s := robot.State(); s.State == peer.Lost {
		t.Error(s)
	}
	metrics := f.ask(http.MethodGet, f.base+"metrics", secret, "", "").body
	if !strings.Contains(metrics, "waldo_gateway_peers_connected_total 1\n") {
		t.Errorf("the peer made another connection:\n%s", metrics)
	}
	if strings.Contains(metrics, "waldo_gateway_peers_repaired_total 0\n") {
		t.Error("the peer did not look for another path")
	}
	if n := r.expired(t); n != 0 {
		t.Errorf("expired credentials were used %v times", n)
	}
}

// expired is how many requests with expired credentials the relay refused.
func (s *shortLived) expired(t *testing.T) (n float64) {
	t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "waldo_relay_refused_total" && m.GetLabel()[0].GetValue() == "expired" {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}
