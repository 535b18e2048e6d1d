package gateway

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/outside"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/remote"
)

// rendezvous is what a gateway has to do with its rendezvous server, if it has one.
type rendezvous struct {
	key  *identity.Key // nil: there is no server
	link *remote.Link  // likewise
	far  *http.Server  // for what comes through the link
	tls  *tls.Config   // for its TURN server; nil: the system's defaults
}

// prepare makes the link, which does not dial yet.
func (r *rendezvous) prepare(c *config.Config, metrics prometheus.Registerer, log *slog.Logger) error {
	settings := c.Gateway.Rendezvous
	if settings.URL == "" {
		return nil
	}
	path, err := identity.Path(c.Robot, os.Getenv)
	if err != nil {
		return fmt.Errorf("gateway.rendezvous: there is no folder for the robot's key: %w", err)
	}
	if r.key, err = identity.Load(path); err != nil {
		return fmt.Errorf("gateway.rendezvous: %w", err)
	}
	roots, err := settings.Roots()
	if err != nil {
		return fmt.Errorf("gateway.rendezvous.ca: %w", err)
	}
	r.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	r.link = remote.New(remote.Config{Metrics: metrics, Tunnel: tunnel.Config{
		URL: settings.URL, Token: settings.Token, Robot: c.Robot, Key: r.key, Roots: roots, Log: log,
	}})
	return nil
}

// serve dials, and answers what comes through the link.
func (r *rendezvous) serve(far *http.Server) {
	if r.link != nil {
		r.far = far
		r.link.Serve(far)
	}
}

// state reports whether the robot is connected to its server; nil if it has none.
func (r *rendezvous) state() func() bool {
	if r.link == nil {
		return nil
	}
	return r.link.Connected
}

// iceServers returns where the ICE servers come from, for peers and for the gateway itself: the configuration, and the
// rendezvous server. It is nil if there are none.
func (r *rendezvous) iceServers(c *config.Config) outside.Servers {
	configured := make([]*signalingv1.IceServer, len(c.Gateway.ICEServers))
	for i, s := range c.Gateway.ICEServers {
		configured[i] = &signalingv1.IceServer{Urls: s.URLs, Username: s.Username, Credential: s.Credential}
	}
	if r.link == nil && len(configured) == 0 {
		return nil
	}
	return func() ([]*signalingv1.IceServer, <-chan struct{}) {
		if r.link == nil {
			return configured, nil
		}
		known, changed := r.link.ICEServers()
		servers := slices.Clone(configured)
		for _, s := range known {
			servers = append(servers, &signalingv1.IceServer{Urls: s.URLs, Username: s.Username, Credential: s.Credential})
		}
		return servers, changed
	}
}

func (r *rendezvous) stop() {
	if r.link != nil {
		r.link.Close()
	}
	if r.far != nil {
		_ = r.far.Close() // its connections ended with the link
	}
}
