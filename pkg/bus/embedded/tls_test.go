package embedded_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
)

func TestTLS(t *testing.T) {
	a := certstest.NewAuthority(t)
	cert, key := a.Issue([]string{"127.0.0.1"})
	source, err := certs.Load(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, embedded.Config{Token: "secret", TLS: source.Server()})
	secured := strings.Replace(s.URL(), "nats://", "tls://", 1)
	connect(t, bus.Config{URL: secured, Token: "secret", CA: a.File()})
	connect(t, bus.Config{URL: s.URL(), Token: "secret", CA: a.File()}) // on this machine TLS is not needed
	trust, err := certs.Client(certstest.NewAuthority(t).File())
	if err != nil {
		t.Fatal(err)
	}
	if nc, err := nats.Connect(secured, nats.Token("secret"), nats.Secure(trust), nats.Timeout(patience)); err == nil {
		nc.Close()
		t.Error("a client that trusts another authority is satisfied")
	}
	if _, err := bus.Connect(bus.Config{URL: secured, CA: "/nowhere/ca.crt"}); err == nil ||
		!strings.Contains(err.Error(), "nats ca: ") || !strings.Contains(err.Error(), "/nowhere/ca.crt") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// client is one that has connected from somewhere.
type client struct {
	server.ClientAuthentication
	from net.Addr
	tls  *tls.ConnectionState
}

func (c client) RemoteAddress() net.Addr                     { return c.from }
func (c client) GetTLSConnectionState() *tls.ConnectionState { return c.tls }

func TestEncryptedOrLocal(t *testing.T) {
	elsewhere := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
	for _, tt := range []struct {
		client client
		want   bool
	}{
		{client{from: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}, true},
		{client{from: elsewhere}, false},
		{client{from: elsewhere, tls: &tls.ConnectionState{}}, true},
		{client{}, true},
	} {
		if got := embedded.EncryptedOrLocal(tt.client); got != tt.want {
			t.Errorf("%+v: %v", tt.client, got)
		}
	}
}
