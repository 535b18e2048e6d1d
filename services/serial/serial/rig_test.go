package serial

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long an event may take before a test fails.
const patience = time.Minute

// rig is a device under test.
type rig struct {
	*device.Process
	conn    *bus.ConnCloser
	serial  serialv1.SerialServiceClient
	control controlv1.ControlServiceClient
	devices devicev1.DeviceServiceClient
	direct  *grpc.ClientConn
	nats    string // URL of the bus
}

// start starts a device on a port; change adjusts the configuration.
func start(t testing.TB, port string, change func(*Config)) *rig {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := Defaults()
	c.Port = port
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &rig{}
	r.run(t, Kind(), c, server.URL())
	return r
}

// run runs a device until the test ends.
func (r *rig) run(t testing.TB, kind device.Kind[Config], c Config, nats string) {
	t.Helper()
	r.nats = nats
	var err error
	if r.Process, err = device.Start(kind, device.Settings{Robot: "r", Device: "d", NATS: nats}, c,
		logtest.New(t, slog.LevelInfo)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	if r.conn, err = bus.Connect(bus.Config{URL: nats}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.conn.Close)
	if err := r.Kit().Bus().Flush(t.Context()); err != nil { // or calls could come before the bus knows who takes them
		t.Fatal(err)
	}
	if r.direct, err = grpc.NewClient(r.GRPCAddress(),
		grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.direct.Close() })
	r.serial, r.control = serialv1.NewSerialServiceClient(r.direct), controlv1.NewControlServiceClient(r.direct)
	r.devices = devicev1.NewDeviceServiceClient(r.direct)
}

// motors makes the board an actuator with two motors.
func motors(t testing.TB) func(*Config) {
	dir := t.TempDir()
	return func(c *Config) {
		c.Write, c.WriteKeys = "<bb", []string{"left", "right"}
		c.Control = &Control{Config: actuator.Config{State: dir}, Safe: map[string]any{"left": 0, "right": 0}}
	}
}

// awaitState returns when the device is in a state.
func (r *rig) awaitState(t testing.TB, state devicev1.DeviceState) *devicev1.Device {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch, err := r.devices.WatchDevice(ctx, &devicev1.WatchDeviceRequest{}, grpc.WaitForReady(true))
	for err == nil {
		var w *devicev1.WatchDeviceResponse
		if w, err = watch.Recv(); err == nil && w.GetDevice().GetState() == state {
			return w.GetDevice()
		}
	}
	t.Fatalf("%v: %v", state, err)
	return nil
}

func (r *rig) awaitReady(t testing.TB) {
	t.Helper()
	r.awaitState(t, devicev1.DeviceState_DEVICE_STATE_READY)
}
