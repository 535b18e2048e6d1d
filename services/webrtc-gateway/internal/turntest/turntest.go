// Package turntest is a TURN server for tests.
package turntest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// Server is a TURN server on loopback. It lets in everybody whose password is the user name.
type Server struct {
	// URL is where it is found.
	URL string
	// TLS trusts it.
	TLS *tls.Config

	server      *turn.Server
	allocations atomic.Int64
}

// Kind is the way to a server.
type Kind string

// The ways.
const (
	UDP Kind = "udp"
	TCP Kind = "tcp"
	TLS Kind = "tls"
)

// Start starts a server. It relays to the peers that permit allows; nil allows all.
func Start(t testing.TB, kind Kind, permit func(net.IP) bool) *Server {
	t.Helper()
	s := &Server{}
	c := turn.ServerConfig{
		Realm: "test", AuthHandler: authenticate, LoggerFactory: silent{},
		EventHandler: turn.EventHandler{
			OnAllocationCreated: func(net.Addr, net.Addr, string, string, string, net.Addr, int) { s.allocations.Add(1) },
			OnAllocationDeleted: func(net.Addr, net.Addr, string, string, string) { s.allocations.Add(-1) },
		},
	}
	allowed := func(_ net.Addr, peer net.IP) bool { return permit == nil || permit(peer) }
	addresses := &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"}
	if kind == UDP {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.URL = fmt.Sprintf("turn:%s?transport=udp", conn.LocalAddr())
		c.PacketConnConfigs = []turn.PacketConnConfig{
			{PacketConn: conn, RelayAddressGenerator: addresses, PermissionHandler: allowed}}
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.URL = fmt.Sprintf("turn:%s?transport=tcp", l.Addr())
		if kind == TLS {
			s.URL = fmt.Sprintf("turns:%s?transport=tcp", l.Addr())
			l = s.secure(t, l)
		}
		c.ListenerConfigs = []turn.ListenerConfig{
			{Listener: l, RelayAddressGenerator: addresses, PermissionHandler: allowed}}
	}
	var err error
	if s.server, err = turn.NewServer(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func authenticate(a *turn.RequestAttributes) (string, []byte, bool) {
	return a.Username, turn.GenerateAuthKey(a.Username, a.Realm, a.Username), true
}

// secure serves TLS with a certificate of its own.
func (s *Server) secure(t testing.TB, l net.Listener) net.Listener {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	s.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
}

// Stop stops the server. It may be called twice.
func (s *Server) Stop() { _ = s.server.Close() }

// Allocations is how many relays there are now.
func (s *Server) Allocations() int { return int(s.allocations.Load()) }

// For is what a client with a name is told.
func (s *Server) For(user string) []*signalingv1.IceServer {
	return []*signalingv1.IceServer{{Urls: []string{s.URL}, Username: user, Credential: user}}
}

type silent struct{}

// NewLogger implements [logging.LoggerFactory].
func (silent) NewLogger(scope string) logging.LeveledLogger {
	return logging.NewDefaultLeveledLoggerForScope(scope, logging.LogLevelDisabled, &strings.Builder{})
}
