// Package gateway puts the parts of the gateway together: bus, devices, tracks, connections, HTTP. The command and the
// tests use the same code.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/net/netutil"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/socket"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/channels"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/devices"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/mjpeg"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/publish"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/server"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/steer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

const (
	maxHTTPConnections = 2000
	stopTimeout        = time.Second
)

// Gateway is a running gateway.
type Gateway struct {
	listener   net.Listener
	conn       *bus.ConnCloser
	directory  *devices.Directory
	hub        *tracks.Hub
	drivers    *steer.Drivers
	steering   *steer.Steering
	mjpeg      *mjpeg.Hub
	publishers *publish.Publishers
	bridge     *channels.Bridge
	voices     *talk.Voices
	engine     *rtc.Engine
	server     *server.Server
	http       *http.Server
	served     chan error
	serving    sync.WaitGroup
	metrics    *prometheus.Registry
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
	epoch := access.NewID()
	if err = g.join(c, log); err != nil {
		return g, err
	}
	if err = g.prepare(c, g.metrics, log); err != nil {
		return g, err
	}
	g.publishers = publish.New(publish.Config{Bus: g.conn.Conn, Robot: c.Robot, Log: log, Metrics: g.metrics})
	g.hub = tracks.NewHub(g.directory, tracks.Config{Log: log, Metrics: tracks.NewMetrics(g.metrics)})
	g.drivers = steer.NewDrivers(c.Drive.Device)
	g.steering = steer.New(g.directory, g.hub, steer.Config{
		Drivers: g.drivers, See: string(c.Drive.See), Log: log, Metrics: g.metrics,
	})
	g.mjpeg = mjpeg.NewHub(g.directory, mjpeg.Config{Log: log, Metrics: g.metrics})
	g.voices = talk.New(g.conn, c.Robot, g.metrics)
	g.engine, err = rtc.NewEngine(g.hub, rtc.Config{
		Voices: g.voices, Steering: g.steering,
		Listen: c.Gateway.ICEAddress(), PublicIPs: c.Gateway.PublicIPs, MaxPeers: c.Gateway.MaxViewers, Log: log,
		ICEServers: g.iceServers(c), TLS: g.tls, Metrics: g.metrics, Batching: c.Gateway.Batching(),
	})
	if err != nil {
		return g, fmt.Errorf("gateway.%w: choose another with --ice, WALDO_ICE or gateway.ice", err)
	}
	return g, g.serve(c, version, epoch, page, log)
}

// join connects to the bus and starts to track devices.
func (g *Gateway) join(c *config.Config, log *slog.Logger) (err error) {
	g.conn, err = bus.Connect(bus.Config{URL: c.NATS, Name: "gateway", Token: c.BusToken, Log: log, Metrics: g.metrics})
	if err != nil {
		return err
	}
	expected := make([]*devicev1.Device, len(c.Devices))
	for i, d := range c.Devices {
		expected[i] = &devicev1.Device{Name: d.Name, Kind: d.Kind}
	}
	g.directory, err = devices.New(g.conn.Conn, c.Robot, devices.Config{Expected: expected, Log: log})
	return err
}

// serve starts the HTTP server.
func (g *Gateway) serve(c *config.Config, version string, epoch int64, page fs.FS, log *slog.Logger) (err error) {
	definitions := dynamic.New(g.conn.Conn, dynamic.Config{Log: log, Metrics: g.metrics})
	caller := calls.New(definitions, c.Robot, g.directory, g.drivers, g.metrics)
	g.bridge = channels.New(g.conn.Conn, c.Robot, g.directory, definitions, caller,
		channels.Config{Log: log, Metrics: g.metrics})
	g.server, err = server.New(g.engine, g.directory, server.Config{
		Drive: c.Drive.Message(), Caller: caller, Channels: g.bridge, Pictures: g.hub, MotionJPEG: g.mjpeg,
		Publishers: g.publishers, RTCBot: g.rtcbot(c, log),
		Robot: c.Robot, Version: version, Epoch: epoch, ICEServers: g.iceServers(c),
		Token: c.Gateway.Token, Hosts: c.Gateway.Hosts, Origins: c.Gateway.Origins,
		Key: g.key, GuestToken: c.Gateway.Rendezvous.GuestToken, Rendezvous: g.state(),
		BusConnected: g.conn.Connected, Page: page, Log: log, Metrics: g.metrics,
	})
	if err != nil {
		return err
	}
	g.http = newHTTP(g.server.Handler(), log)
	g.rendezvous.serve(newHTTP(server.Remote(g.server.Handler()), log))
	g.serving.Go(func() { g.served <- g.http.Serve(netutil.LimitListener(g.listener, maxHTTPConnections)) })
	return nil
}

func newHTTP(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// rtcbot makes what serves the clients of RTCBot.
func (g *Gateway) rtcbot(c *config.Config, log *slog.Logger) *rtcbot.Gateway {
	order := make([]string, len(c.Devices))
	for i, d := range c.Devices {
		order[i] = d.Name
	}
	return rtcbot.New(rtcbot.Config{
		Engine: g.engine, Bridge: g.bridge, Directory: g.directory, Voices: g.voices,
		Publisher: publisher{g.publishers},
		Devices:   rtcbot.Devices(c.Gateway.RTCBot), Order: order, Log: log,
	})
}

// publisher publishes what clients of RTCBot send.
type publisher struct{ *publish.Publishers }

// Publish implements [rtcbot.Publisher].
func (p publisher) Publish(
	ctx context.Context, device string, c rtcbot.Client, peer string,
) (rtcbot.Publication, error) {
	who := &peerv1.Publisher{Name: peer, Program: text.Printable(c.Program), Address: c.Address, Via: "rtcbot"}
	n, err := p.Open(ctx, device, who, false)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// URL returns the address of the page, as other machines see it if they can reach it.
func (g *Gateway) URL() string { return "http://" + access.Reachable(g.listener.Addr().String()) + "/" }

// Listening returns the address at which the page is served, host:port.
func (g *Gateway) Listening() string { return g.listener.Addr().String() }

// ICE returns the address that ICE listens on.
func (g *Gateway) ICE() string { return g.engine.Address() }

// Failed returns a channel that reports when the HTTP server stops on its own.
func (g *Gateway) Failed() <-chan error { return g.served }

// Close ends all sessions and connections, releases all streams, and returns when everything has ended, within about 2
// s.
func (g *Gateway) Close() { g.stop() }

// stop stops what was started, from the outside in.
func (g *Gateway) stop() {
	g.rendezvous.stop()
	if g.server != nil {
		g.server.Close()
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
	if g.engine != nil {
		_ = g.engine.Close() // nothing can be done about a failure
	}
	if g.steering != nil {
		g.steering.Close()
	}
	if g.publishers != nil {
		g.publishers.Close()
	}
	if g.hub != nil {
		g.hub.Close()
	}
	if g.mjpeg != nil {
		g.mjpeg.Close()
	}
	if g.bridge != nil {
		g.bridge.Close()
	}
	if g.directory != nil {
		g.directory.Close()
	}
	if g.conn != nil {
		g.conn.Close()
	}
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
