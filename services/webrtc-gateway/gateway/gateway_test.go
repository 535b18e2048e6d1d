package gateway_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/gateway"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a bus with a gateway on it.
type world struct {
	t       *testing.T
	bus     *embedded.Server
	gateway *gateway.Gateway
	base    string
}

func testConfig(nats string) *config.Config {
	c := &config.Config{Settings: config.Settings{Robot: "demo", NATS: nats}, Gateway: config.Defaults()}
	c.Gateway.HTTP, c.Gateway.ICE = "127.0.0.1:0", "127.0.0.1:0"
	return c
}

func testLog(t *testing.T) *slog.Logger {
	if os.Getenv("WALDO_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return logtest.New(t, slog.LevelDebug)
}

func newWorld(t *testing.T, change func(*config.Config)) *world {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := testConfig(server.URL())
	if change != nil {
		change(c)
	}
	w := startWithoutBus(t, c)
	w.bus = server
	return w
}

func startWithoutBus(t *testing.T, c *config.Config) *world {
	t.Helper()
	g, err := gateway.Start(c, "test", fstest.MapFS{"index.html": {Data: []byte("<p>robot")}}, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return &world{t: t, gateway: g, base: g.URL()}
}

func (w *world) startBus(address string) {
	w.t.Helper()
	var err error
	if w.bus, err = embedded.Start(embedded.Config{Listen: address}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.bus.Close)
}

// freeAddress is one that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// checkAddressError starts a gateway that cannot have its address.
func checkAddressError(t *testing.T, name string, c *config.Config) {
	t.Helper()
	g, err := gateway.Start(c, "test", nil, testLog(t))
	if err == nil {
		g.Close()
		t.Fatalf("%s: two gateways have the same address", name)
	}
	if !gateway.IsAddressError(err) || !strings.Contains(err.Error(), name) {
		t.Errorf("%s: %v", name, err)
	}
}

// camera starts a life of the camera `front` and waits until the gateway knows of it.
func (w *world) camera(c fakecam.Config) *fakecam.Camera {
	w.t.Helper()
	cam, err := fakecam.Start(w.bus.URL(), bus.Address{Robot: "demo", Device: "front"}, c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cam.Stop() })
	w.eventually("the gateway knows the camera", func() bool { return strings.Contains(w.get("devices"), `"front"`) })
	return cam
}

func (w *world) get(path string) string {
	w.t.Helper()
	r, err := http.Get(w.base + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	var b strings.Builder
	if _, err := io.Copy(&b, r.Body); err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}

// eventually waits for something that cannot be waited for in a better way.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(watcher.Timeout)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %v: %s", watcher.Timeout, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// watch connects a peer to the camera `front`.
func (w *world) watch() *watcher.Watcher {
	w.t.Helper()
	peer, err := watcher.New(1, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = peer.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	if err := peer.WHEP(ctx, w.base, "front"); err != nil {
		w.t.Fatal(err)
	}
	return peer
}

// stream checks that the packets of a peer belong to one unbroken stream.
type stream struct {
	t    *testing.T
	peer *watcher.Watcher
	last *rtp.Packet
}

// next waits for a packet and checks it against the one before.
func (s *stream) next() *rtp.Packet {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	p, err := s.peer.Packet(ctx)
	if err != nil {
		s.t.Fatal("no packet: ", err)
	}
	if s.last != nil {
		if p.SSRC != s.last.SSRC {
			s.t.Fatalf("SSRC changed from %d to %d", s.last.SSRC, p.SSRC)
		}
		if p.SequenceNumber != s.last.SequenceNumber+1 {
			s.t.Fatalf("sequence number %d follows %d", p.SequenceNumber, s.last.SequenceNumber)
		}
		if d := int32(p.Timestamp - s.last.Timestamp); d < 0 || d == 0 == s.last.Marker {
			s.t.Fatalf("timestamp %d follows %d (marker %v)", p.Timestamp, s.last.Timestamp, s.last.Marker)
		}
	}
	s.last = p
	return p
}

// frames reads so many frames and reports whether the first began with parameter sets.
func (s *stream) frames(n int) (key bool) {
	s.t.Helper()
	for i := range n {
		p := s.next()
		if i == 0 {
			key = isKeyStart(p)
		}
		for !p.Marker {
			p = s.next()
		}
	}
	return key
}

// repaired reads on after the path has changed: packets of the same track, which may have been lost or overtaken by
// others on the way. A key frame is among them.
func (s *stream) repaired() {
	s.t.Helper()
	for key, n := false, 0; !key || n < 50; n++ {
		ssrc := s.last.SSRC
		s.last = nil
		if s.next().SSRC != ssrc {
			s.t.Fatalf("the track %d became %d", ssrc, s.last.SSRC)
		}
		key = key || isKeyStart(s.last)
	}
}

// isKeyStart: parameter sets come first, together (STAP-A).
func isKeyStart(p *rtp.Packet) bool { return len(p.Payload) > 0 && p.Payload[0]&0x1f == 24 }

func TestRestartOfTheCameraKeepsTheTrack(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{FrameBytes: 5000})
	s := stream{t: t, peer: w.watch()}
	if !s.frames(1) {
		t.Error("the first frame is not a key frame")
	}
	s.frames(20)
	for range 3 {
		cam.Stop()
		cam = w.camera(fakecam.Config{FrameBytes: 5000})
		for !isKeyStart(s.next()) { // what was on its way, then the new life's first
		}
		for !s.last.Marker {
			s.next()
		}
		s.frames(20)
	}
}
