package hub

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startTime bounds the wait for a server that starts.
const startTime = 10 * time.Second

// Server is a hub inside this process.
type Server struct {
	server *server.Server
	config *Config // with the ports that were free
}

// Start returns when robots and gateways can connect. An address with port 0 gets a free one.
func Start(c *Config) (*Server, error) {
	actual, err := c.tried()
	if err != nil {
		return nil, err
	}
	o := &server.Options{}
	if err := o.ProcessConfigString(actual.Text()); err != nil {
		return nil, fmt.Errorf("the hub cannot run: %w", err)
	}
	o.NoSigs, o.NoLog = true, true
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("the hub cannot run: %w", err)
	}
	started := &Server{server: s, config: actual}
	s.Start() // does not wait
	if !s.ReadyForConnections(startTime) {
		started.Close()
		return nil, fmt.Errorf("the hub did not start within %v", startTime)
	}
	return started, nil
}

// tried finds out why an address cannot be had, which the server does not report, and which port is free.
func (c *Config) tried() (*Config, error) {
	listen, err := tryListen("listen", c.listen())
	leaf, err2 := tryListen("leaf", c.leaf())
	actual := *c
	actual.Listen, actual.Leaf = listen, leaf
	return &actual, errors.Join(err, err2)
}

func tryListen(key, address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	_ = l.Close() // it was only tried
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	host, _, err := net.SplitHostPort(address)
	return net.JoinHostPort(host, port), err
}

// URL is where gateways, and the media of robots, connect on this machine.
func (s *Server) URL() string { return s.local(s.config.Listen) }

// LeafURL is where robots connect on this machine for control and state.
func (s *Server) LeafURL() string { return s.local(s.config.Leaf) }

// Addresses returns where the hub listens, as configured: for robots, and for gateways and the media of robots. A port
// 0 is the one that was free.
func (s *Server) Addresses() (leaf, listen string) { return s.config.Leaf, s.config.Listen }

func (s *Server) local(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	if s.config.TLS.Cert != "" {
		return "tls://" + address
	}
	return "nats://" + address
}

// Reload has the server follow a changed configuration: robots and gateways come and go while the others stay. Those
// that are no longer known, or by another key, are disconnected. Addresses cannot change.
func (s *Server) Reload(c *Config) error {
	next := *c
	next.Listen, next.Leaf = s.config.Listen, s.config.Leaf
	o := &server.Options{}
	if err := o.ProcessConfigString(next.Text()); err != nil {
		return fmt.Errorf("the hub cannot follow the file: %w", err)
	}
	o.NoSigs, o.NoLog = true, true
	if err := s.server.ReloadOptions(o); err != nil {
		return fmt.Errorf("the hub cannot follow the file: %w", err)
	}
	before := s.config
	s.config = &next
	return s.expel(before.Robots)
}

// expel ends the leaf nodes of robots that are no longer known, or by another key: nats-server (2.15) checks clients
// again after a reload, and leaf nodes not before they connect the next time.
func (s *Server) expel(before map[string]Member) error {
	leafs, err := s.server.Leafz(nil)
	if err != nil {
		return fmt.Errorf("the hub cannot tell which robots are connected: %w", err)
	}
	for _, l := range leafs.Leafs {
		if known, was := before[l.Account]; was && s.config.Robots[l.Account] != known {
			_ = s.server.DisconnectClientByID(l.ID) // it may be gone already
		}
	}
	return nil
}

// Close disconnects everybody and returns when the server has ended.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// Leafs returns how many leaf nodes of a robot are connected.
func (s *Server) Leafs(robot string) int {
	account, err := s.server.LookupAccount(robot)
	if err != nil {
		return 0
	}
	return account.NumLeafNodes()
}
