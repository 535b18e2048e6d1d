package embedded_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long the tests wait for what must happen; it is only reached when it does not.
const patience = 20 * time.Second

func start(t *testing.T, cfg embedded.Config) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// connect returns a connection on which a message has made its way.
func connect(t *testing.T, cfg bus.Config) *bus.ConnCloser {
	t.Helper()
	c, err := bus.Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// closeWithin fails if Close hangs.
func closeWithin(t *testing.T, s *embedded.Server) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.Close()
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("Close hangs")
	}
}

func TestStartRefuses(t *testing.T) {
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
		s, err := embedded.Start(embedded.Config{Listen: tt.listen, Token: tt.token})
		if err == nil {
			s.Close()
			t.Errorf("%s is accepted with token %q", tt.listen, tt.token)
		} else if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.listen) {
			t.Errorf("%s: %q does not tell %q", tt.listen, err, tt.want)
		}
	}
	start(t, embedded.Config{Listen: "0.0.0.0:0", Token: "sixteen-or-more!"})
}

func TestStartWithToken(t *testing.T) {
	s := start(t, embedded.Config{Token: "secret"})
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
	connect(t, bus.Config{URL: s.URL(), Token: "secret"})
}

func TestCloseLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := start(t, embedded.Config{})
	url := s.URL()
	c := connect(t, bus.Config{URL: url})
	closeWithin(t, s)
	closeWithin(t, s) // may be called again
	if s.URL() != url {
		t.Errorf("url changed to %q", s.URL())
	}
	c.Close()
	goleak.VerifyNone(t, before)
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "nats://"), time.Second); err == nil {
		t.Error("still listening")
	}
}
