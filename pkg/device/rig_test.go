package device

import (
	"context"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// patienceOfTests is how long an event may take before a test fails. It says nothing on how fast things are.
const patienceOfTests = 20 * time.Second

const (
	starting = devicev1.DeviceState_DEVICE_STATE_STARTING
	ready    = devicev1.DeviceState_DEVICE_STATE_READY
	away     = devicev1.DeviceState_DEVICE_STATE_AWAY
	stopping = devicev1.DeviceState_DEVICE_STATE_STOPPING
)

// TestMain also is the program that the tests of whole processes start; see child_test.go.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
	}
	goleak.VerifyTestMain(m)
}

// driverFunc is a driver in one function.
type driverFunc func(ctx context.Context, ready func()) error

func (f driverFunc) Run(ctx context.Context, ready func()) error { return f(ctx, ready) }

// work is a driver whose hardware is always there.
func work(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

type config struct{}

// kindOf is a kind with one stream, "level".
func kindOf(run driverFunc, equip ...func(*Kit)) Kind[config] {
	return Kind[config]{Name: "probe", Version: "1.0.0", New: func(k *Kit, _ config) (Driver, error) {
		NewOut[*wrapperspb.DoubleValue](k, "level", OutOptions{})
		for _, f := range equip {
			f(k)
		}
		return run, nil
	}}
}

// start starts a device that stops with the test.
func start(t testing.TB, k Kind[config], s Settings) *Process {
	t.Helper()
	s.Robot, s.Device = "r", "d"
	p, err := Start(k, s, config{}, logtest.New(t, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// startServer starts a bus; listen is "" for a free port.
func startServer(t testing.TB, cfg embedded.Config) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func connect(t testing.TB, url string) *bus.Conn {
	t.Helper()
	c, err := bus.Connect(bus.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.Conn
}

// states subscribes to the state of the device under test, and returns once the bus knows.
func states(t testing.TB, c *bus.Conn) *bus.Subscription[*devicev1.Device] {
	t.Helper()
	sub, err := bus.Subscribe[*devicev1.Device](c, bus.Address{Robot: "r", Device: "d"}.State(), stream.DropOldest(100))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sub
}

// source is a subscription, or a stream of a gRPC client.
type source interface {
	Next(context.Context) (*devicev1.Device, error)
}

// until returns the first description that fits.
func until(t testing.TB, from source, what string, fits func(*devicev1.Device) bool) *devicev1.Device {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfTests)
	defer cancel()
	for {
		d, err := from.Next(ctx)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if fits(d) {
			return d
		}
	}
}

func untilState(t testing.TB, from source, state devicev1.DeviceState) *devicev1.Device {
	t.Helper()
	return until(t, from, state.String(), func(d *devicev1.Device) bool { return d.State == state })
}

// watching makes a source of a WatchDevice call.
type watching struct {
	grpc.ServerStreamingClient[devicev1.WatchDeviceResponse]
}

func (w watching) Next(context.Context) (*devicev1.Device, error) {
	r, err := w.Recv()
	return r.GetDevice(), err
}

func watch(t testing.TB, p *Process) watching {
	t.Helper()
	w, err := devicev1.NewDeviceServiceClient(dial(t, p, "")).WatchDevice(t.Context(), &devicev1.WatchDeviceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return watching{w}
}

// untilReady returns when the driver works.
func untilReady(t testing.TB, p *Process) { untilState(t, watch(t, p), ready) }

// dial connects to a device by gRPC, with a token unless that is "".
func dial(t testing.TB, p *Process, token string) *grpc.ClientConn {
	t.Helper()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(token)))
	}
	c, err := grpc.NewClient(p.GRPCAddress(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}
func (b bearer) RequireTransportSecurity() bool { return false }

// hold makes one promise, with no renewal.
func hold(t testing.TB, c grpc.ClientConnInterface, holder string, ttl time.Duration) {
	t.Helper()
	_, err := devicev1.NewDeviceServiceClient(c).HoldStream(t.Context(),
		&devicev1.HoldStreamRequest{Stream: "level", Holder: holder, Ttl: durationpb.New(ttl)})
	if err != nil {
		t.Fatal(err)
	}
}

func holders(n int32) func(*devicev1.Device) bool {
	return func(d *devicev1.Device) bool { return d.Streams[0].HolderCount == n }
}

// within fails the test if f takes so long that it must have hung.
func within(t testing.TB, d time.Duration, what string, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	if took := time.Since(begin); took > d {
		t.Errorf("%s took %v, more than %v", what, took, d)
	}
}

// freeAddress is where nobody listens now.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
