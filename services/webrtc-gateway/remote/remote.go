// Package remote keeps a robot reachable through a rendezvous server: it holds a tunnel to the server, serves the
// requests that come through it, and knows the ICE servers there.
//
// A [Link] dials for as long as it is open, see [tunnel.Keep]. While the server is away, its ICE servers stay in use as
// long as their credentials can be used: media needs the relay, not the tunnel. Everything here is safe for concurrent
// use; [Link.Close] returns when all goroutines have ended.
package remote

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

const (
	// askPatience bounds how long the server may take to name its ICE servers, and askAgain is the pause after a failure.
	askPatience = 10 * time.Second
	askAgain    = 5 * time.Second
)

// Config configures a link.
type Config struct {
	// Tunnel is where the server is, and who the robot is. Its Log is that of the link; it may be nil.
	Tunnel tunnel.Config
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// Link is a robot's link to its rendezvous server.
type Link struct {
	config Config
	log    *slog.Logger
	gauge  prometheus.Gauge
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	owned  sync.WaitGroup

	mu        sync.Mutex
	connected bool
	servers   []tunnel.ICEServer
	lists     int         // how many there were
	expire    *time.Timer // forgets servers
	changed   chan struct{}
}

// New returns a link that does not dial yet.
func New(c Config) *Link {
	l := &Link{config: c, log: c.Tunnel.Log, changed: make(chan struct{}),
		gauge: prometheus.NewGauge(prometheus.GaugeOpts{Name: "waldo_gateway_rendezvous_connected",
			Help: "1 while the robot is connected to its rendezvous server."})}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics != nil {
		c.Metrics.MustRegister(l.gauge)
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Serve dials, and serves what comes through the tunnel, until Close.
func (l *Link) Serve(s *http.Server) {
	l.owned.Go(func() {
		tunnel.Keep(l.ctx, l.config.Tunnel, func(session *tunnel.Session) {
			l.set(true)
			defer l.set(false)
			var asking sync.WaitGroup
			defer asking.Wait()
			ctx, cancel := context.WithCancel(l.ctx)
			defer cancel()
			asking.Go(func() { l.ask(ctx, session) })
			_ = s.Serve(session) // ends with the session
		})
	})
}

// Close ends the tunnel.
func (l *Link) Close() {
	l.cancel()
	l.owned.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.expire != nil {
		l.expire.Stop()
	}
}

func (l *Link) set(connected bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connected = connected
	l.gauge.Set(map[bool]float64{true: 1}[connected])
}

// Connected reports whether the robot is connected to its server.
func (l *Link) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected
}

// ICEServers returns the server's ICE servers, as far as they are known now, and a channel that is closed when they
// change: the credentials are renewed after half of their lifetime.
func (l *Link) ICEServers() ([]tunnel.ICEServer, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.servers, l.changed
}

// ask asks a session's server for its ICE servers, again and again until ctx ends.
func (l *Link) ask(ctx context.Context, session *tunnel.Session) {
	for {
		patience, cancel := context.WithTimeout(ctx, askPatience)
		answer, err := session.ICEServers(patience)
		cancel()
		pause := askAgain
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.log.Warn("the rendezvous server does not name its ICE servers", "error", err)
		default:
			pause = answer.Lifetime() / 2
			l.keep(answer.Servers, answer.Lifetime())
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// keep replaces the ICE servers, and forgets them after their lifetime.
func (l *Link) keep(servers []tunnel.ICEServer, lifetime time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.expire != nil {
		l.expire.Stop()
	}
	l.lists++
	list := l.lists
	l.expire = time.AfterFunc(lifetime, func() { l.forget(list) })
	l.replace(servers)
}

// forget forgets the ICE servers, unless there are others meanwhile.
func (l *Link) forget(list int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lists == list {
		l.replace(nil)
	}
}

// replace is called with mu held.
func (l *Link) replace(servers []tunnel.ICEServer) {
	if slices.EqualFunc(l.servers, servers, same) {
		return
	}
	l.servers = servers
	close(l.changed)
	l.changed = make(chan struct{})
}

func same(a, b tunnel.ICEServer) bool {
	return slices.Equal(a.URLs, b.URLs) && a.Username == b.Username && a.Credential == b.Credential
}
