// Package embedded is the NATS server that the launcher runs inside its own process. It is kept apart from package bus
// so that only the launcher and tests link a server: a device or gateway imports bus and never this package.
//
// A server asks each connection for a key or a token, if any are configured, and ends the connections of those that are
// revoked or changed. With a [Leaf] it also connects to the hub of a fleet, and logs why there is no connection.
//
// A [Server] is safe for concurrent use. It owns the goroutines of the NATS server and two more, which watch the tokens
// and the connection to the hub. [Server.Close] ends them all and returns when they have ended; what JetStream keeps in
// memory is lost then.
package embedded

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
)

// Config describes where the server listens, and who may do what. The zero value is a free port on loopback, where
// everybody may do everything.
type Config struct {
	// Listen is host:port. Port 0 takes a free one. Any address but loopback needs a Token of [access.MinToken]
	// characters, or Tokens. Default 127.0.0.1:0.
	Listen string
	// Token whose owner may do everything. Without one, and without any in Tokens, that is everybody.
	Token string
	// TLS is offered to clients, and required of those on other machines. Nil: there is none.
	TLS *tls.Config
	// Leaf connects the bus to a hub. Default: to none.
	Leaf *Leaf
	// Tokens are those whose owners may do what their role allows; nil for none. One that is revoked ends its connections.
	Tokens *tokens.Store
	// Keys are those of processes, with what each may do; see [Server.SetKeys].
	Keys permissions.Keys
	// Log receives refusals, each once. Default: nothing is logged.
	Log *slog.Logger
	// Audit keeps refusals, with who tried. It is to be closed after the server. Nil: nothing does.
	Audit *audit.Log
}

// stalledReader is how long a client may take to read what waits for it. Producers never wait for a client, so patience
// costs only memory, and a shorter time would disconnect clients on a busy machine.
const stalledReader = 5 * time.Second

// A client that is frozen, or whose network is gone, gives no answer to pings and is disconnected after 4 to 5 s. Until
// then it keeps its share of what is dealt to a queue group.
const (
	pingInterval = time.Second
	maxPingsOut  = 3
)

// startLimit is how long the server may take to listen. It takes milliseconds, and seconds on a starved machine.
const startLimit = 30 * time.Second

// authTimeout is how long a client may take to say who it is. The refusal of a wrong token takes up to 3 s.
const authTimeout = 5 * time.Second

const (
	// maxPayload is the largest message: whole JPEG pictures of any camera, which can only be dealt to workers in one
	// piece. NATS advises against more. Everything else is split at 1 MiB (package bus).
	maxPayload = 8 << 20
	// maxKept bounds all that is kept in memory for groups whose messages must not be lost.
	maxKept = 256 << 20
	// maxStored is too little for any stream in files: nothing is written to the disk.
	maxStored = 1
)

// Server is a NATS server inside this process.
type Server struct {
	server *server.Server
	url    string
	link   *link // nil without a hub
	gate   *gate // nil if everybody may do everything, whatever happens
	end    context.CancelFunc
	owned  sync.WaitGroup
}

// Start returns when the server accepts connections. A client that does not read cannot stall the producers: it is
// disconnected after 5 s. JetStream is there for streams in memory, 256 MiB in all, if a temporary folder can be made.
func Start(cfg Config) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	s, err := start(cfg)
	if err != nil {
		return nil, fmt.Errorf("nats listen %q: %w", cfg.Listen, err)
	}
	return s, nil
}

func start(cfg Config) (*Server, error) {
	o, err := options(cfg)
	if err != nil {
		return nil, err
	}
	// JetStream insists on a folder when it starts, and has no use for it: it keeps nothing but streams in memory. So none
	// is left behind, however this process ends. Where none can be made, as on a read-only system, there is all but
	// JetStream.
	if o.StoreDir, err = os.MkdirTemp("", "waldo-bus-"); err != nil {
		o.JetStream = false
	} else {
		defer func() { _ = os.RemoveAll(o.StoreDir) }() // an empty folder is left at worst
	}
	started := &Server{}
	started.guard(cfg, o)
	s, err := server.NewServer(o)
	if err != nil {
		started.end()
		return nil, err
	}
	started.server = s
	if cfg.Leaf != nil {
		started.link = follow(cfg.Leaf, s)
	}
	started.open()
	s.Start() // does not wait
	if !s.ReadyForConnections(startLimit) {
		started.Close()
		return nil, fmt.Errorf("the server did not start within %v", startLimit)
	}
	started.url = localURL(s.Addr().(*net.TCPAddr))
	return started, nil
}

func options(cfg Config) (*server.Options, error) {
	// The server does not report why it cannot listen, so find out first.
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, err
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		return nil, err
	}
	if _, _, err := tokens.NewAuthority(cfg.Token, cfg.Tokens).Address(address.String()); err != nil {
		return nil, err
	}
	o := &server.Options{
		ServerName:          "waldo",
		Host:                hostOf(address),
		Port:                address.Port,
		NoSigs:              true,
		NoLog:               true,
		NoFastProducerStall: true,
		WriteDeadline:       stalledReader,
		PingInterval:        pingInterval,
		MaxPingsOut:         maxPingsOut,
		MaxPayload:          maxPayload,
		JetStream:           true,
		JetStreamMaxMemory:  maxKept,
		JetStreamMaxStore:   maxStored,
	}
	if cfg.TLS != nil {
		o.TLSConfig, o.AllowNonTLS, o.TLSTimeout = cfg.TLS, true, authTimeout.Seconds()
	}
	if cfg.Leaf != nil {
		return o, cfg.Leaf.lead(o)
	}
	return o, nil
}

func localURL(a *net.TCPAddr) string {
	host := hostOf(a)
	if a.IP.IsUnspecified() {
		host = "127.0.0.1" // the server listens on all addresses; this one works on this machine
	}
	return "nats://" + net.JoinHostPort(host, strconv.Itoa(a.Port))
}

func hostOf(a *net.TCPAddr) string { return (&net.IPAddr{IP: a.IP, Zone: a.Zone}).String() }

// URL is what clients on this machine connect to, without the token.
func (s *Server) URL() string { return s.url }

// guard has the server ask who connects, if it matters.
func (s *Server) guard(cfg Config, o *server.Options) {
	var ctx context.Context
	ctx, s.end = context.WithCancel(context.Background())
	if cfg.Token == "" && cfg.Tokens == nil && cfg.Keys == nil {
		return
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s.gate = &gate{tls: cfg.TLS != nil, authority: tokens.NewAuthority(cfg.Token, cfg.Tokens), log: log,
		audit: cfg.Audit, ctx: ctx, keys: cfg.Keys,
		admitted: map[uint64]admitted{}}
	o.CustomClientAuthentication = s.gate
	o.AlwaysEnableNonce = true
	o.AuthTimeout = authTimeout.Seconds()
}

// open has the gate work for the server, which has not started yet.
func (s *Server) open() {
	if s.gate == nil {
		return
	}
	s.gate.server = s.server
	log := &violations{gate: s.gate, log: s.gate.log}
	if s.link != nil {
		log.next = said{s.link}
	}
	s.server.SetLogger(log, false, false)
	s.owned.Go(func() { s.gate.authority.Watch(s.gate.ctx, s.gate.renew) })
}

// SetKeys changes which keys of processes are known, and what their holders may do. Connections of holders for whom
// something changes end, and are made again by themselves. It has no effect on a server that was started without keys
// and tokens.
func (s *Server) SetKeys(known permissions.Keys) {
	if s.gate != nil {
		s.gate.setKeys(known)
	}
}

// Close disconnects all clients and returns when the server has ended.
func (s *Server) Close() {
	if s.link != nil {
		s.link.close()
	}
	s.end()
	s.server.Shutdown()
	s.server.WaitForShutdown()
	s.owned.Wait()
}
