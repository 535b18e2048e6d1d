package bus_test

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// freeAddress is where nothing listens now.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestConnectBeforeTheServer(t *testing.T) {
	address := freeAddress(t)
	a, b := connect(t, bus.Config{URL: "nats://" + address}), connect(t, bus.Config{URL: "nats://" + address})
	eventsA, eventsB := connects(t, a), connects(t, b)
	sub := subscribe[*mediav1.VideoFrame](t, a, front.Out("video"), stream.DropOldest(10))
	serve(t, b, bus.ServiceConfig{}, &fakeDevice{get: named(front)})
	if a.Connected() {
		t.Error("connected to nothing")
	}
	if err := b.Publish(front.Out("video"), frame(0, 10)); !errors.Is(err, bus.ErrDisconnected) {
		t.Errorf("Publish without a server: %v", err)
	}
	startServer(t, embedded.Config{Listen: address})
	receive(t, "the first connect", eventsA)
	receive(t, "the other's first connect", eventsB)
	checkWorks(t, a, b, sub, 1)
}

// checkWorks publishes and calls from b to a and back. Nothing published before may arrive.
func checkWorks(t *testing.T, a, b *bus.ConnCloser, sub *bus.Subscription[*mediav1.VideoFrame], sequence int) {
	t.Helper()
	flush(t, a)
	flush(t, b)
	publish(t, b, front.Out("video"), frame(sequence, 2<<20))
	if got := next(t, sub).GetSequence(); got != int64(sequence) {
		t.Errorf("got message %d, want %d", got, sequence)
	}
	if _, err := deviceClient(a, front).GetDevice(t.Context(), &devicev1.GetDeviceRequest{}); err != nil {
		t.Errorf("call: %v", err)
	}
}

func TestReconnectForEver(t *testing.T) {
	s := startServer(t, embedded.Config{})
	registry := prometheus.NewRegistry()
	a, b := connect(t, bus.Config{URL: s.URL()}), connect(t, bus.Config{URL: s.URL(), Metrics: registry})
	sub := subscribe[*mediav1.VideoFrame](t, a, front.Out("video"), stream.DropOldest(10))
	serve(t, b, bus.ServiceConfig{}, &fakeDevice{get: named(front)})
	checkWorks(t, a, b, sub, 0)
	eventsA, eventsB := connects(t, a), connects(t, b)
	for cycle := 1; cycle <= 4; cycle++ {
		s.Close()
		until(t, "both are disconnected", func() bool { return !a.Connected() && !b.Connected() })
		if err := b.Publish(front.Out("video"), frame(-cycle, 10)); !errors.Is(err, bus.ErrDisconnected) {
			t.Errorf("cycle %d: Publish: %v", cycle, err)
		}
		start := time.Now()
		s = restart(t, s)
		receive(t, "a's connect", eventsA)
		receive(t, "b's connect", eventsB)
		checkWorks(t, a, b, sub, cycle)
		t.Logf("cycle %d: everything works %v after the server", cycle, time.Since(start).Round(time.Millisecond))
	}
	if got := metric(t, registry, "waldo_bus_lost_total", "disconnected"); got < 4 {
		t.Errorf("counted %v as lost, want 4 or more", got)
	}
}

// TestNothingWaitsForADial has a server that takes the connection and says nothing, as a stopped process does.
func TestNothingWaitsForADial(t *testing.T) {
	s := startServer(t, embedded.Config{})
	c := connect(t, bus.Config{URL: s.URL()})
	s.Close()
	mute, err := net.Listen("tcp", strings.TrimPrefix(s.URL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	// A handshake is given up after 2 s. On a busy machine that may be over by itself: the next dial is another chance.
	for begun := time.Now(); ; {
		peer, err := mute.Accept()
		if err != nil {
			t.Fatal(err)
		}
		until(t, "disconnected", func() bool { return !c.Connected() })
		if err := c.Publish(front.Out("video"), frame(0, 10)); !errors.Is(err, bus.ErrDisconnected) {
			t.Errorf("Publish: %v", err)
		}
		if _, err := deviceClient(c, front).GetDevice(t.Context(), &devicev1.GetDeviceRequest{}); err == nil {
			t.Error("the call works")
		}
		dialling := stillOpen(t, peer)
		peer.Close()
		if dialling {
			return
		}
		if time.Since(begun) > patience {
			t.Fatal("to say that the bus is away takes as long as a dial")
		}
	}
}

// stillOpen reports whether the other end, which sends nothing, has not closed a connection.
func stillOpen(t *testing.T, c net.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func TestCloseWhileDisconnected(t *testing.T) {
	c := connect(t, bus.Config{URL: "nats://" + freeAddress(t)})
	subscribe[*mediav1.VideoFrame](t, c, front.Out("video"), stream.Latest())
	serve(t, c, bus.ServiceConfig{}, &fakeDevice{})
	c.Hold(front, "video", "me")
	start := time.Now()
	within(t, "Close", c.Close)
	t.Logf("Close took %v", time.Since(start))
}

func TestBadConfig(t *testing.T) {
	for _, url := range []string{"", "nats://user:secret@127.0.0.1:port", "nats://secret@bad host"} {
		c, err := bus.Connect(bus.Config{URL: url})
		if err == nil {
			c.Close()
			t.Errorf("%q is accepted", url)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the credentials: %v", err)
		}
	}
}

func TestWrongTokenIsReportedOnceAndTriedOn(t *testing.T) {
	s := startServer(t, embedded.Config{Token: "right"})
	var log logtest.Text
	c := connect(t, bus.Config{URL: s.URL(), Token: "wrong", Log: slog.New(slog.NewTextHandler(&log, nil))})
	events := connects(t, c)
	until(t, "the refusal is logged", func() bool { return strings.Count(log.String(), "Authorization Violation") > 0 })
	s.Close()
	// Long enough refused for NATS to give up, which it must not: a second refusal by the same server.
	s = startServer(t, embedded.Config{Listen: strings.TrimPrefix(s.URL(), "nats://"), Token: "other"})
	raw := time.NewTimer(time.Second)
	select {
	case <-events:
		t.Fatal("connected with the wrong token")
	case <-raw.C:
	}
	if n := strings.Count(log.String(), "Authorization Violation"); n > 3 {
		t.Errorf("the refusal is logged %d times", n)
	}
	s.Close()
	startServer(t, embedded.Config{Listen: strings.TrimPrefix(s.URL(), "nats://"), Token: "wrong"})
	receive(t, "the connect", events)
	if n := strings.Count(log.String(), "wrong"); n > 0 {
		t.Error("the log shows the token")
	}
}
