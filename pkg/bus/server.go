package bus

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/waldo-robot/waldo/pkg/access"
)

// ServerConfig says where the embedded server listens. The zero value is a free port on loopback.
type ServerConfig struct {
	// Listen is host:port. Port 0 takes a free one. Anything but loopback needs a Token of [access.MinToken] characters. Default 127.0.0.1:0.
	Listen string
	// Token that clients must present, if set.
	Token string
}

// stalledReader is how long a reader may take what waits for it. Producers do not wait for it, so patience costs memory only, and
// less would cut off those on a busy machine.
const stalledReader = 5 * time.Second

// Server is a NATS server inside this process.
type Server struct {
	server *server.Server
	url    string
}

// StartServer starts a server and returns when it accepts connections. One reader that never reads cannot stall the producers:
// it is cut off after 5 s instead.
func StartServer(cfg ServerConfig) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	options, err := serverOptions(cfg)
	if err != nil {
		return nil, fmt.Errorf("nats listen %q: %w", cfg.Listen, err)
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("nats listen %q: %w", cfg.Listen, err)
	}
	s.Start() // does not wait
	if !s.ReadyForConnections(5 * time.Second) {
		s.Shutdown()
		return nil, fmt.Errorf("nats listen %q: the server did not come up", cfg.Listen)
	}
	return &Server{server: s, url: localURL(s.Addr().(*net.TCPAddr))}, nil
}

func serverOptions(cfg ServerConfig) (*server.Options, error) {
	// The server would not say why it cannot listen: find out before.
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, err
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		return nil, err
	}
	if _, _, err := access.Address(address.String(), cfg.Token); err != nil {
		return nil, err
	}
	return &server.Options{
		ServerName:          "waldo",
		Host:                hostOf(address),
		Port:                address.Port,
		Authorization:       cfg.Token,
		NoSigs:              true,
		NoLog:               true,
		NoFastProducerStall: true,
		WriteDeadline:       stalledReader,
	}, nil
}

func localURL(a *net.TCPAddr) string {
	host := hostOf(a)
	if a.IP.IsUnspecified() {
		host = "127.0.0.1" // it listens on all addresses; this one is good for this machine
	}
	return "nats://" + net.JoinHostPort(host, strconv.Itoa(a.Port))
}

func hostOf(a *net.TCPAddr) string { return (&net.IPAddr{IP: a.IP, Zone: a.Zone}).String() }

// URL is what clients on this machine connect to, without the token.
func (s *Server) URL() string { return s.url }

// Close disconnects everybody and returns when the server has ended.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}
