package bus_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/bus"
)

func TestServerRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct{ listen, token, want string }{
		{taken.Addr().String(), "", "address already in use"},
		{"127.0.0.1", "", "missing port"},
		{"127.0.0.1:none", "", "none"},
		{"127.0.0.1:99999", "", "port"},
		{"192.0.2.1:0", "", "assign"}, // not an address of this machine
		{":0", "", "token"},
		{"0.0.0.0:0", "", "token"},
		{"[::]:0", "", "token"},
		{":0", "secret", "waldo token"},
		{"0.0.0.0:0", "fifteen-or-less", "at least 16"},
	}
	for _, tt := range tests {
		s, err := bus.StartServer(bus.ServerConfig{Listen: tt.listen, Token: tt.token})
		if err == nil {
			s.Close()
			t.Errorf("%s is accepted with token %q", tt.listen, tt.token)
		} else if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.listen) {
			t.Errorf("%s: %q does not tell %q", tt.listen, err, tt.want)
		}
	}
	startServer(t, bus.ServerConfig{Listen: "0.0.0.0:0", Token: "sixteen-or-more!"})
}

func TestServerWantsItsToken(t *testing.T) {
	s := startServer(t, bus.ServerConfig{Token: "secret"})
	if strings.Contains(s.URL(), "secret") {
		t.Errorf("the url %s shows the token", s.URL())
	}
	for token, want := range map[string]bool{"": false, "wrong": false, "secret": true} {
		nc, err := nats.Connect(s.URL(), nats.Token(token), nats.Timeout(patience))
		if (err == nil) != want {
			t.Errorf("token %q: %v", token, err)
		}
		if err == nil {
			nc.Close()
		}
	}
	c := connect(t, bus.Config{URL: s.URL(), Token: "secret"})
	flush(t, c)
}

func TestServerCloseLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := startServer(t, bus.ServerConfig{})
	url := s.URL()
	c := connect(t, bus.Config{URL: url})
	flush(t, c)
	within(t, "Close", s.Close)
	within(t, "a second Close", s.Close)
	if s.URL() != url {
		t.Errorf("url changed to %q", s.URL())
	}
	c.Close()
	goleak.VerifyNone(t, before)
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "nats://"), time.Second); err == nil {
		t.Error("still listening")
	}
}
