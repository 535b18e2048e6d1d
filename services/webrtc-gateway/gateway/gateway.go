// Package gateway puts the parts of the gateway together: bus, devices, tracks, connections, HTTP. The command and the
// tests use the same code.
//
// What all robots share (the bus connection, the port for media, HTTP, who may come in) is made once. What serves one
// robot is made of the rest: once for a gateway with one robot, and for each robot of a fleet while somebody is there.
//
// The methods of a [Gateway] are safe for concurrent use, except Close, which is called once. It ends the parts in the
// reverse order of their use: the rendezvous link, sessions, HTTP, which has a second to answer what was asked, then
// connections and streams, at last the bus. When it returns, no goroutine of the gateway is left.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/net/netutil"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/pkg/socket"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/server"
)

const (
	maxHTTPConnections = 2000
	stopTimeout        = time.Second
)

// Gateway is a running gateway.
type Gateway struct {
	listener  net.Listener
	secured   *certs.Source // nil without https
	conn      *bus.ConnCloser
	transport *rtc.Transport
	robot     *robot  // nil: there is a fleet
	robots    *robots // of a fleet; nil: there is one robot
	http      *http.Server
	served    chan error
	serving   sync.WaitGroup
	metrics   *prometheus.Registry
	known     atomic.Pointer[presence.Robots] // nil until there is a fleet
	audit     *audit.Log
	rendezvous
}

// Start starts a gateway. It serves when Start returns; the bus may become available later. page holds the static
// files. If an address is in use, the error wraps a *net.OpError.
func Start(c *config.Config, version string, page fs.FS, log *slog.Logger) (g *Gateway, err error) {
	g = &Gateway{served: make(chan error, 1), metrics: newRegistry()}
	defer func() {
		if err != nil {
			g.stop()
			g = nil
		}
	}()
	address, narrowed := c.Gateway.HTTPAddress()
	if narrowed {
		log.Info("without a token the gateway listens on loopback only", "http", c.Gateway.HTTP, "listening", address)
	}
	if g.listener, err = socket.Listen("tcp", address); err != nil {
		return g, fmt.Errorf("gateway.http %s: %w: choose another with --http, WALDO_HTTP or gateway.http", address, err)
	}
	g.listener = netutil.LimitListener(g.listener, maxHTTPConnections)
	if err = g.secure(c, log); err != nil {
		return g, err
	}
	g.conn, err = bus.Connect(bus.Config{URL: c.NATS, Name: "gateway", Token: c.BusToken, Seed: c.BusSeed, CA: c.CA,
		Log: log, Metrics: g.metrics, Away: g.away, Remedy: hubRemedy(c)})
	if err != nil {
		return g, err
	}
	if err = g.prepare(c, g.metrics, log); err != nil {
		return g, err
	}
	g.transport, err = rtc.NewTransport(rtc.Config{
		Listen: c.Gateway.ICEAddress(), PublicIPs: c.Gateway.PublicIPs, MaxPeers: c.Gateway.MaxViewers, Log: log,
		ICEServers: g.iceServers(c), TLS: g.tls, Metrics: g.metrics, Batching: c.Gateway.Batching(),
	})
	if err != nil {
		return g, fmt.Errorf("gateway.%w: choose another with --ice, WALDO_ICE or gateway.ice", err)
	}
	return g, g.serve(c, version, page, log)
}

// serve starts the HTTP server.
func (g *Gateway) serve(c *config.Config, version string, page fs.FS, log *slog.Logger) (err error) {
	realm := c.Robot
	if c.Fleet {
		realm = fleetRealm
	}
	logins, err := newLogins(c, realm, log)
	if err != nil {
		return err
	}
	if c.State != "" {
		g.audit = audit.Open(audit.Path(c.State, realm, "gateway"), log)
		g.audit.Write(audit.Event{Kind: audit.Started, Reason: "waldo-gateway " + version})
	}
	all := &shared{
		authority: c.Gateway.Authority(), logins: logins, audit: g.audit,
		conn: g.conn.Conn, transport: g.transport, config: c, version: version, epoch: access.NewID(), page: page,
		iceServers: g.iceServers(c), key: g.key, rendezvous: g.state(),
	}
	handler, err := g.open(all, c, log)
	if err != nil {
		return err
	}
	g.http = newHTTP(g.secureHandler(c, handler), log)
	g.rendezvous.serve(newHTTP(server.Remote(handler), log))
	g.serving.Go(func() { g.served <- g.http.Serve(g.listener) })
	return nil
}

// open starts what answers requests: one robot, or a fleet.
func (g *Gateway) open(all *shared, c *config.Config, log *slog.Logger) (handler http.Handler, err error) {
	if c.Fleet {
		if g.robots, err = all.serveFleet(g.metrics, log); err != nil {
			return nil, err
		}
		g.known.Store(g.robots.known)
		return g.robots.front.Handler(), nil
	}
	expected := make([]*devicev1.Device, len(c.Devices))
	for i, d := range c.Devices {
		expected[i] = &devicev1.Device{Name: d.Name, Kind: d.Kind}
	}
	g.robot, err = all.serve(c.Robot, expected, c.Drive.Message(), all.serverConfig(), g.metrics, log)
	if err != nil {
		return nil, err
	}
	return g.robot.server.Handler(), nil
}

// away tells callers why a robot of a fleet cannot be reached.
func (g *Gateway) away(robot string) string {
	if known := g.known.Load(); known != nil {
		return known.Away(robot)
	}
	return ""
}

func newHTTP(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ConnContext: certs.InContext, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// URL returns the address of the page, as other machines see it if they can reach it.
func (g *Gateway) URL() string {
	scheme := "http://"
	if g.secured != nil {
		scheme = "https://"
	}
	return scheme + access.Reachable(g.listener.Addr().String()) + "/"
}

// Listening returns the address at which the page is served, host:port.
func (g *Gateway) Listening() string { return g.listener.Addr().String() }

// ICE returns the address that ICE listens on.
func (g *Gateway) ICE() string { return g.transport.Address() }

// Failed returns a channel that reports when the HTTP server stops on its own.
func (g *Gateway) Failed() <-chan error { return g.served }

// Close ends all sessions and connections, releases all streams, and returns when everything has ended, within about 2
// s.
func (g *Gateway) Close() { g.stop() }

// stop stops what was started, from the outside in.
func (g *Gateway) stop() {
	g.rendezvous.stop()
	if g.robot != nil {
		g.robot.server.Close()
	}
	if g.robots != nil {
		g.robots.stop()
	}
	if g.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := g.http.Shutdown(ctx); err != nil {
			_ = g.http.Close() // the remaining clients were notified, or are too slow
		}
		g.serving.Wait()
	} else if g.listener != nil {
		_ = g.listener.Close() // the server was not started
	}
	if g.robot != nil {
		g.robot.close()
	}
	if g.robots != nil {
		g.robots.close()
	}
	if g.transport != nil {
		_ = g.transport.Close() // nothing can be done about a failure
	}
	if g.conn != nil {
		g.conn.Close()
	}
	g.audit.Close()
}

// newLogins returns the logins of browsers, with the key that is kept beside the robot's other state. Without it they
// last as long as the process.
func newLogins(c *config.Config, realm string, log *slog.Logger) (*server.Logins, error) {
	var key []byte
	if c.State != "" {
		var err error
		if key, err = server.LoadKey(filepath.Join(c.State, "logins", realm+".key")); err != nil {
			log.Warn("browsers have to sign in again when the gateway restarts", "error", err)
		}
	}
	return server.NewLogins(realm, c.Gateway.Token, key)
}

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// IsAddressError reports whether an error of Start means that an address is in use or unavailable.
func IsAddressError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}
