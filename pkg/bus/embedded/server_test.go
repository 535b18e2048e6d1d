package embedded_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long the tests wait for what must happen; it is only reached when it does not.
const patience = time.Minute

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

// TestKeepsInMemoryOnly: there is JetStream for streams in memory, up to a bound, and nothing is on the disk, which a
// process that is killed would leave there.
func TestKeepsInMemoryOnly(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	s := start(t, embedded.Config{})
	empty := func(when string) {
		if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
			t.Errorf("%s there are %v, %v", when, left, err)
		}
	}
	empty("after the start")
	nc, err := nats.Connect(s.URL(), nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if nc.MaxPayload() != 8<<20 {
		t.Errorf("messages have up to %d bytes", nc.MaxPayload())
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		storage jetstream.StorageType
		bytes   int64
		taken   bool
	}{
		{jetstream.FileStorage, 1 << 10, false},
		{jetstream.MemoryStorage, 200 << 20, true},
		{jetstream.MemoryStorage, 200 << 20, false},
	} {
		name := fmt.Sprintf("s%v%v", tt.storage, tt.taken)
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name},
			Storage: tt.storage, MaxBytes: tt.bytes})
		if (err == nil) != tt.taken {
			t.Errorf("a stream of %d bytes in %v: %v", tt.bytes, tt.storage, err)
		}
	}
	empty("with a stream")
	closeWithin(t, s)
	empty("after the end")
}

// TestStartsWithoutFolder: all but JetStream works.
func TestStartsWithoutFolder(t *testing.T) {
	t.Setenv("TMPDIR", "/nowhere")
	connect(t, bus.Config{URL: start(t, embedded.Config{}).URL()})
}
