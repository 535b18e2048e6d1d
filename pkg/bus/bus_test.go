package bus_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long the tests wait for what must happen; it is only reached when it does not.
const patience = time.Minute

var front = bus.Address{Robot: "demo", Device: "front"}

func startServer(t testing.TB, cfg embedded.Config) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// restart starts a new server where s, which is closed, has been.
func restart(t testing.TB, s *embedded.Server) *embedded.Server {
	t.Helper()
	return startServer(t, embedded.Config{Listen: strings.TrimPrefix(s.URL(), "nats://")})
}

func connect(t testing.TB, cfg bus.Config) *bus.ConnCloser {
	t.Helper()
	c, err := bus.Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// pair is two connections to a server of their own.
func pair(t testing.TB) (a, b *bus.ConnCloser) {
	s := startServer(t, embedded.Config{})
	return connect(t, bus.Config{URL: s.URL()}), connect(t, bus.Config{URL: s.URL()})
}

// rawClient is a client that knows nothing of Waldo.
func rawClient(t testing.TB, s *embedded.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func subscribe[M proto.Message](t testing.TB, c *bus.ConnCloser, subject string, p stream.Policy) *bus.Subscription[M] {
	t.Helper()
	s, err := bus.Subscribe[M](c.Conn, subject, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if c.Connected() {
		flush(t, c)
	}
	return s
}

func publish(t testing.TB, c *bus.ConnCloser, subject string, m proto.Message) {
	t.Helper()
	if err := c.Publish(subject, m); err != nil {
		t.Fatal(err)
	}
}

func flush(t testing.TB, c *bus.ConnCloser) {
	t.Helper()
	if err := c.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func next[M proto.Message](t testing.TB, s *bus.Subscription[M]) M {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// receive waits for an event.
func receive[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// until waits for a state that makes no event.
func until(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// connects counts a connection's connects from now on.
func connects(t testing.TB, c *bus.ConnCloser) <-chan struct{} {
	events := make(chan struct{}, 100)
	t.Cleanup(c.OnConnect(func() { events <- struct{}{} }))
	return events
}

// within runs f and fails if it hangs.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	receive(t, what, done)
}

// metric returns the sum of a metric's series with this label value; "" for all.
func metric(t testing.TB, g prometheus.Gatherer, name, reason string) (sum float64) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (reason == "" || m.GetLabel()[0].GetValue() == reason) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// fakeDevice is a device whose methods the test writes.
type fakeDevice struct {
	devicev1.UnimplementedDeviceServiceServer
	get  func(context.Context) (*devicev1.GetDeviceResponse, error)
	hold func(context.Context, *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse, error)
}

func (f *fakeDevice) GetDevice(ctx context.Context, r *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	if f.get == nil {
		return f.UnimplementedDeviceServiceServer.GetDevice(ctx, r)
	}
	return f.get(ctx)
}

func (f *fakeDevice) HoldStream(ctx context.Context, r *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse,
	error) {
	if f.hold == nil {
		return f.UnimplementedDeviceServiceServer.HoldStream(ctx, r)
	}
	return f.hold(ctx, r)
}

// named answers GetDevice with an address.
func named(a bus.Address) func(context.Context) (*devicev1.GetDeviceResponse, error) {
	return func(context.Context) (*devicev1.GetDeviceResponse, error) {
		return &devicev1.GetDeviceResponse{Device: &devicev1.Device{Robot: a.Robot, Name: a.Device}}, nil
	}
}

func serve(t testing.TB, c *bus.ConnCloser, cfg bus.ServiceConfig, impl devicev1.DeviceServiceServer) *bus.Service {
	t.Helper()
	if cfg.Address == (bus.Address{}) {
		cfg.Address = front
	}
	cfg.Kind, cfg.Version = "camera", "1.2.3"
	s, err := c.Serve(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.RegisterService(&devicev1.DeviceService_ServiceDesc, impl); err != nil {
		t.Fatal(err)
	}
	if c.Connected() {
		flush(t, c)
	}
	return s
}

func deviceClient(c *bus.ConnCloser, a bus.Address) devicev1.DeviceServiceClient {
	return devicev1.NewDeviceServiceClient(c.Client(a))
}
