package gateway

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/remote"
)

// rendezvous is what a gateway has to do with its rendezvous server, if it has one.
type rendezvous struct {
	key  *identity.Key // nil: there is no server
	link *remote.Link  // likewise
	far  *http.Server  // for what comes through the link
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

// iceServers are those of the rendezvous server, and a channel that is closed when there are others.
func (r *rendezvous) iceServers() ([]*signalingv1.IceServer, <-chan struct{}) {
	if r.link == nil {
		return nil, nil
	}
	known, changed := r.link.ICEServers()
	servers := make([]*signalingv1.IceServer, len(known))
	for i, s := range known {
		servers[i] = &signalingv1.IceServer{Urls: s.URLs, Username: s.Username, Credential: s.Credential}
	}
	return servers, changed
}

func (r *rendezvous) stop() {
	if r.link != nil {
		r.link.Close()
	}
	if r.far != nil {
		_ = r.far.Close() // its connections ended with the link
	}
}
