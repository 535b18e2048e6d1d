package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	rendezvous "github.com/waldo-robot/waldo/rendezvous/server"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
)

// TestRendezvous: the gateway is reached through a rendezvous server, keeps its key for the next time, and tells of
// the server's ICE servers and whether it is there.
func TestRendezvous(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	server, err := rendezvous.New(rendezvous.Config{Token: "of the server", ICE: func(robot string) tunnel.ICEServers {
		return tunnel.ICEServers{Servers: []tunnel.ICEServer{{URLs: []string{"turn:relay.example"},
			Username: "for " + robot}}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	site := httptest.NewServer(server.Handler())
	defer site.Close()
	c := &config.Config{Settings: config.Settings{Robot: "demo", NATS: "nats://" + freeAddress(t)},
		Gateway: config.Defaults()}
	c.Gateway.HTTP, c.Gateway.ICE, c.Gateway.Token = "127.0.0.1:0", "127.0.0.1:0", "sixteen-or-more!"
	c.Gateway.Rendezvous = config.Rendezvous{URL: site.URL, Token: "of the server"}
	for range 2 { // the second time with the same key
		w := startWithoutBus(t, c)
		far := &world{t: t, base: site.URL + "/r/demo/"}
		w.eventually("the robot is connected",
			func() bool { return strings.Contains(w.get("healthz"), `"rendezvous":"connected"`) })
		if got := far.get("healthz"); !strings.Contains(got, `"status"`) {
			t.Errorf("through the server: %s", got)
		}
		w.eventually("the relay is announced", func() bool {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.base+"whep/front", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+c.Gateway.Token)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			return strings.Contains(answer.Header.Get("Link"), `username="for demo"`)
		})
		w.gateway.Close()
	}
}
