package relay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/waldo-robot/waldo/rendezvous/mux"
)

var (
	here    = netip.MustParseAddr("127.0.0.1")
	machine = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
)

// start starts a relay on loopback. Without anything else in the configuration, peers on loopback may be reached.
func start(t testing.TB, c Config) *Relay {
	t.Helper()
	if c.Public == nil {
		c.Public = []netip.Addr{here}
	}
	if c.UDP == nil {
		c.UDP = []string{"127.0.0.1:0"}
	}
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// onePort serves TCP and TLS on one port, as a rendezvous does.
func onePort(t testing.TB, r *Relay) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m, err := mux.New(l, mux.Config{TLS: selfSigned()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := r.Serve(m.TURN()); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// selfSigned returns a configuration with a certificate that nobody trusts.
func selfSigned() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// way is how a client reaches the relay.
type way string

const (
	byUDP way = "udp"
	byTCP way = "tcp"
	byTLS way = "tls"
)

var ways = []way{byUDP, byTCP, byTLS}

// connect returns a connection to the relay, for a client of pion.
func (w way) connect(t testing.TB, r *Relay, port string) (conn net.PacketConn, server string) {
	t.Helper()
	if w == byUDP {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c, r.UDP()[0].String()
	}
	c, err := net.Dial("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	if w == byTLS {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	t.Cleanup(func() { c.Close() })
	return turn.NewSTUNConn(c), port
}

var quiet = &logging.DefaultLoggerFactory{Writer: io.Discard}

// newClient returns a client of pion with credentials.
func newClient(t testing.TB, conn net.PacketConn, server string, c Credentials) *turn.Client {
	t.Helper()
	client, err := turn.NewClient(&turn.ClientConfig{TURNServerAddr: server, STUNServerAddr: server, Conn: conn,
		Username: c.Username, Password: c.Password, LoggerFactory: quiet,
		RequestedAddressFamily: turn.RequestedAddressFamilyIPv4})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// allocate makes an allocation, which ends with the test.
func allocate(t testing.TB, r *Relay, w way, port string, c Credentials) (*turn.Client, net.PacketConn) {
	t.Helper()
	conn, server := w.connect(t, r, port)
	client := newClient(t, conn, server, c)
	relayed, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relayed.Close() })
	return client, relayed
}

// echo returns the address of a peer that sends everything back.
func echo(t testing.TB, address string) net.Addr {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Skip(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 65536)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(b[:n], from)
		}
	}()
	return c.LocalAddr()
}

func refused(r *Relay, reason string) float64 {
	return testutil.ToFloat64(r.metrics.refused.WithLabelValues(reason))
}

func lost(r *Relay, reason string) float64 {
	return testutil.ToFloat64(r.metrics.lost.WithLabelValues(reason))
}

func waitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("this does not happen: " + what)
		}
	}
}
