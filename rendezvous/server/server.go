package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

// Config configures a server. The zero value admits every robot and forgets their names when it ends.
type Config struct {
	// Hosts are the names by which robots dial the server, host or host:port. Empty: any.
	Hosts []string
	// Token is what robots must present; empty: nothing.
	Token string
	// Keys are the robots that may register; nil: all.
	Keys Keys
	// State is the file that keeps the robots' names; empty: none.
	State string
	// ICE returns the ICE servers for a robot and its peers, with credentials; nil: there are none.
	ICE func(robot string) tunnel.ICEServers
	// Limits bound what robots and clients may use.
	Limits Limits
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// Server answers HTTP requests.
type Server struct {
	config   Config
	log      *slog.Logger
	names    *names
	handler  http.Handler
	tunnels  tunnel.Server
	internal *http.Server // for robots
	metrics  *metrics

	guesses     access.Guesses
	pace        *pacer
	registering chan struct{}
	requests    *tally
	connections *connections
	refusals    *rate.Limiter // of lines in the log

	mu     sync.Mutex
	closed bool
	robots map[string]*online
	each   map[string]int // robots by client
	http   []*http.Server
	owned  sync.WaitGroup
}

// New returns a server. It fails if the state file cannot be read.
func New(c Config) (*Server, error) {
	c.Limits.defaults()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	names, err := newNames(c.State)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: c, log: c.Log, names: names, metrics: newMetrics(c.Metrics),
		pace:        newPacer(c.Limits.Registrations, c.Limits.Burst),
		registering: make(chan struct{}, registering), requests: newTally(c.Limits.RequestsPerClient),
		connections: newConnections(c.Limits.Connections), refusals: rate.NewLimiter(1, 20),
		robots: map[string]*online{}, each: map[string]int{},
	}
	s.tunnels = tunnel.Server{Hosts: c.Hosts, MaxStreams: c.Limits.Requests + internalStreams, Log: c.Log}
	ice := c.ICE
	if ice == nil {
		ice = func(string) tunnel.ICEServers { return tunnel.ICEServers{} }
	}
	s.internal = s.newHTTP(tunnel.ICEHandler(ice))
	s.internal.ConnState, s.internal.MaxHeaderBytes = nil, 4<<10
	s.handler = s.routes()
	return s, nil
}

// internalStreams is how many streams a robot may open.
const internalStreams = 16

// Handler answers requests.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve serves the connections of a listener until the server or the listener is closed. Slow clients are given up.
func (s *Server) Serve(l net.Listener) error {
	h := s.newHTTP(s.handler)
	if !s.own(func() { s.http = append(s.http, h) }) {
		_ = l.Close() // there is nobody to serve it
		return http.ErrServerClosed
	}
	defer s.owned.Done()
	return h.Serve(l)
}

func (s *Server) newHTTP(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), ConnState: s.connections.change,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// own starts something that Close waits for, until owned.Done; false if the server is closed.
func (s *Server) own(start func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.owned.Add(1)
	start()
	return true
}

// Close ends all tunnels, tells their robots so, and closes all listeners.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	servers, robots := s.http, make([]*online, 0, len(s.robots))
	for _, r := range s.robots {
		robots = append(robots, r)
	}
	s.mu.Unlock()
	var ending sync.WaitGroup
	for _, r := range robots {
		ending.Go(func() { _ = r.session.Close() }) // it never fails
	}
	ending.Wait()
	for _, h := range servers {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		if h.Shutdown(ctx) != nil {
			_ = h.Close() // the remaining clients are too slow
		}
		cancel()
	}
	s.owned.Wait()
	_ = s.internal.Close() // its listeners were the tunnels
}

const stopPatience = time.Second

// errStopping refuses a robot that comes too late.
var errStopping = errors.New("the server is stopping")
