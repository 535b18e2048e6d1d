// Package rendezvous puts the parts of a rendezvous server together: one port for HTTP and TURN (package mux), the way
// to robots (package server), and the relay of their media (package relay). The command waldo rendezvous and the tests
// use the same code.
//
// A [Rendezvous] that is started serves until Close, which returns when all goroutines have ended.
package rendezvous

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/rendezvous/mux"
	"github.com/waldo-robot/waldo/rendezvous/relay"
	"github.com/waldo-robot/waldo/rendezvous/server"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

// Config configures a rendezvous server. Listen is required.
type Config struct {
	// Listen is the port for HTTP and TURN, with and without TLS, host:port. Without Token and Keys it is one of loopback.
	Listen string
	// Certificate and Key are PEM files; empty: there is no TLS. They are read again when they change.
	Certificate, Key string
	// Plain allows HTTP without TLS at an address that other machines can reach, for a proxy in between.
	Plain bool
	// Names are those of the server in the addresses that robots and people use, host or host:port. Required for an
	// address that other machines can reach.
	Names []string
	// Public are the addresses of this machine for the relay; none: there is no relay.
	Public []netip.Addr
	// UDP is where the relay listens for UDP, host:port. Default :3478.
	UDP string
	// Ports are those of the relay's allocations, and Permit the networks it reaches besides the internet.
	Ports  relay.PortRange
	Permit []netip.Prefix
	// Token is what robots must present; empty: nothing.
	Token string
	// Keys are the robots that may register; nil: all.
	Keys server.Keys
	// State is the file that keeps the robots' names; empty: none.
	State string
	// Metrics is a loopback address for Prometheus; empty: none.
	Metrics string
	// Limits bound what robots and clients may use.
	Limits server.Limits
	// Log may be nil.
	Log *slog.Logger
}

// Rendezvous is a running server.
type Rendezvous struct {
	config  Config
	log     *slog.Logger
	metrics *prometheus.Registry

	mux     *mux.Mux
	relay   *relay.Relay // nil: there is none
	server  *server.Server
	private *http.Server // of metrics; nil: there is none
	address net.Addr
	failed  chan error
	serving sync.WaitGroup
}

// Start starts a server, which serves when Start returns. If an address is in use, the error wraps a *net.OpError.
func Start(c Config) (r *Rendezvous, err error) {
	r = &Rendezvous{config: c, log: c.Log, metrics: prometheus.NewRegistry(), failed: make(chan error, 1)}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.metrics.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			r.Close()
			r = nil
		}
	}()
	address, err := c.address(r.log)
	if err != nil {
		return r, err
	}
	settings, err := c.tls(r.log)
	if err != nil {
		return r, err
	}
	if err := r.listen(address, settings); err != nil {
		return r, err
	}
	if err := r.startRelay(); err != nil {
		return r, err
	}
	return r, r.serve()
}

// address is where to listen.
func (c *Config) address(log *slog.Logger) (string, error) {
	address, narrowed := c.Listen, false
	if c.Keys == nil {
		var err error
		if address, narrowed, err = access.Address(c.Listen, c.Token); err != nil {
			return "", fmt.Errorf("listen: %w, or list the robots' keys", err)
		}
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("listen: %q is not host:port, for example :443", address)
	}
	if access.IsLoopbackName(host) {
		if narrowed {
			log.Info("without a token or a list of keys the server listens on loopback only", "listening", address)
		}
		return address, nil
	}
	switch {
	case len(c.Names) == 0:
		return "", fmt.Errorf("name: other machines can reach %s: say by which name they do, as in their "+
			"https://example.org, so that no other server can pass on what robots sign for this one", c.Listen)
	case c.Certificate == "" && !c.Plain:
		return "", fmt.Errorf("cert: other machines can reach %s: name the files of a certificate and its key, or, if a "+
			"proxy in between has them, allow plain HTTP", c.Listen)
	}
	return address, nil
}

// tls returns how TLS is served; nil without a certificate.
func (c *Config) tls(log *slog.Logger) (*tls.Config, error) {
	if c.Certificate == "" && c.Key == "" {
		return nil, nil
	}
	kept, err := newCertificate(c.Certificate, c.Key, log)
	if err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: kept.get, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}, nil
}

func (r *Rendezvous) listen(address string, settings *tls.Config) error {
	port, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("listen %s: %w", address, err)
	}
	r.address = port.Addr()
	r.mux, err = mux.New(port, mux.Config{TLS: settings, Metrics: r.metrics})
	return err
}

// startRelay starts the relay, if there are addresses for it.
func (r *Rendezvous) startRelay() (err error) {
	c := r.config
	if len(c.Public) == 0 {
		r.log.Info("there is no relay: who is behind a NAT that only a relay gets through is not reached; name this " +
			"machine's public address to have one")
		return r.mux.TURN().Close()
	}
	r.relay, err = relay.New(relay.Config{
		Public: c.Public, UDP: []string{cmp.Or(c.UDP, defaultUDP)}, Ports: c.Ports, Permit: c.Permit,
		URLs: c.iceURLs(r.address),
		Log:  r.log, Metrics: r.metrics,
	})
	if err != nil {
		return err
	}
	return r.relay.Serve(r.mux.TURN())
}

// serve starts to answer requests.
func (r *Rendezvous) serve() (err error) {
	c := r.config
	r.server, err = server.New(server.Config{
		Hosts: c.hosts(), Token: c.Token, Keys: c.Keys, State: c.State, ICE: r.iceServers, Limits: c.Limits, Log: r.log,
		Metrics: r.metrics,
	})
	if err != nil {
		return err
	}
	if err := r.serveMetrics(); err != nil {
		return err
	}
	r.serving.Go(func() { r.report(r.server.Serve(r.mux.HTTP())) })
	return nil
}

// report tells of a server that stops by itself.
func (r *Rendezvous) report(err error) {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return
	}
	select {
	case r.failed <- err:
	default: // one reason is enough
	}
}

func (r *Rendezvous) serveMetrics() error {
	if r.config.Metrics == "" {
		return nil
	}
	address, err := access.Loopback(r.config.Metrics)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("metrics %s: %w", address, err)
	}
	pages := http.NewServeMux()
	pages.Handle("GET /metrics", promhttp.HandlerFor(r.metrics, promhttp.HandlerOpts{}))
	r.private = &http.Server{Handler: access.LoopbackOnly(pages), ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	r.serving.Go(func() { r.report(r.private.Serve(l)) })
	return nil
}

// Address is where the server listens.
func (r *Rendezvous) Address() string { return r.address.String() }

// Failed returns a channel that reports when the server stops by itself.
func (r *Rendezvous) Failed() <-chan error { return r.failed }

// Metrics are those of the server and its parts.
func (r *Rendezvous) Metrics() prometheus.Gatherer { return r.metrics }

// Close ends all tunnels and allocations.
func (r *Rendezvous) Close() {
	if r.server != nil {
		r.server.Close()
	}
	if r.private != nil {
		_ = r.private.Close() // who reads metrics loses nothing
	}
	if r.relay != nil {
		_ = r.relay.Close() // nothing can be done about a failure
	}
	if r.mux != nil {
		_ = r.mux.Close() // likewise
	}
	r.serving.Wait()
}

// iceServers are those for a robot and its peers.
func (r *Rendezvous) iceServers(robot string) tunnel.ICEServers {
	if r.relay == nil {
		return tunnel.ICEServers{LifetimeSeconds: int64(time.Hour / time.Second)}
	}
	all := tunnel.ICEServers{LifetimeSeconds: int64(r.relay.Credentials(robot, "").Life / time.Second)}
	for _, s := range r.relay.ICEServers(robot, "") {
		all.Servers = append(all.Servers, tunnel.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	return all
}
