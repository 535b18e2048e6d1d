package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	thermometerv1 "github.com/waldo-robot/waldo/examples/thermometer/gen/thermometer/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// asProgram turns the test binary into the thermometer itself.
const asProgram = "WALDO_THERMOMETER_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is the thermometer with arguments, in its own process.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0", "XDG_STATE_HOME="+t.TempDir())
	return c
}

// TestThermometer runs the program from a robot.yaml, watches it over gRPC, and reads its stream on the bus.
func TestThermometer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	sensor, file := filepath.Join(t.TempDir(), "temp"), filepath.Join(t.TempDir(), "robot.yaml")
	server, err := embedded.Start(embedded.Config{})
	check(t, err)
	defer server.Close()
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	check(t, err)
	defer conn.Close()
	check(t, os.WriteFile(file, []byte("robot: demo\ndevices:\n  shade: {kind: thermometer, grpc: \"127.0.0.1:0\", path: "+
		sensor+", every: 10ms}\nnats: {url: \""+server.URL()+"\"}\n"), 0o600))

	address := bus.Address{Robot: "demo", Device: "shade"}
	states, err := bus.Subscribe[*devicev1.Device](conn.Conn, address.State(), stream.DropOldest(10))
	check(t, err)
	p := program(t, "--robot-file", file, "--device", "shade")
	check(t, p.Start())
	defer func() { _ = p.Process.Kill() }() // it has ended already, unless the test failed

	// The sensor does not exist yet: the device reports that, over the bus and over gRPC, and waits.
	d, err := states.Next(ctx)
	check(t, err)
	c, err := grpc.NewClient(d.GrpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	defer func() { _ = c.Close() }()
	watch, err := devicev1.NewDeviceServiceClient(c).WatchDevice(ctx, &devicev1.WatchDeviceRequest{})
	check(t, err)
	until := func(state devicev1.DeviceState, reason string) {
		t.Helper()
		for {
			r, err := watch.Recv()
			check(t, err)
			if r.Device.State == state && strings.Contains(r.Device.StateReason, reason) {
				return
			}
		}
	}
	until(devicev1.DeviceState_DEVICE_STATE_AWAY, "no such file")
	check(t, os.WriteFile(sensor, []byte("21500\n"), 0o600))
	until(devicev1.DeviceState_DEVICE_STATE_READY, "")

	// It has its own method, over gRPC and on the bus.
	for _, channel := range []grpc.ClientConnInterface{c, conn.Client(address)} {
		m, err := thermometerv1.NewThermometerServiceClient(channel).Measure(ctx,
			&thermometerv1.MeasureRequest{Unit: thermometerv1.Unit_UNIT_FAHRENHEIT})
		check(t, err)
		if m.Temperature != 70.7 || !m.ReadTime.IsValid() {
			t.Errorf("measured %v", m)
		}
	}

	// It publishes while somebody holds the stream.
	values, err := bus.Subscribe[*wrapperspb.DoubleValue](conn.Conn, address.Out("temperature"), stream.Latest())
	check(t, err)
	hold := conn.Hold(address, "temperature", "test")
	for _, text := range []string{"21500", "-3250\n"} {
		check(t, os.WriteFile(sensor+"~", []byte(text), 0o600))
		check(t, os.Rename(sensor+"~", sensor))
		want := map[string]float64{"21500": 21.5, "-3250\n": -3.25}[text]
		for got := -1.0; got != want; {
			v, err := values.Next(ctx)
			check(t, err)
			got = v.Value
		}
	}

	// The sensor fails while it is read, and comes back.
	check(t, os.WriteFile(sensor+"~", []byte("warm"), 0o600))
	check(t, os.Rename(sensor+"~", sensor))
	until(devicev1.DeviceState_DEVICE_STATE_AWAY, "does not hold a number")
	check(t, os.Remove(sensor))
	check(t, os.WriteFile(sensor, []byte("21500\n"), 0o600))
	until(devicev1.DeviceState_DEVICE_STATE_READY, "")
	hold.Close()

	check(t, p.Process.Signal(syscall.SIGTERM))
	check(t, p.Wait())
}

func TestConfiguration(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		text string
	}{
		{"--device shade --check", device.ExitStopped, ""},
		{"--device shade --every 1ms", device.ExitConfiguration, "--every: 1ms is too short"},
		{"--device shade --every 1", device.ExitConfiguration, "--every: "},
		{"--help", device.ExitStopped, "--path"},
		{"--version", device.ExitStopped, "waldo-thermometer 1.0.0"},
	} {
		p := program(t, strings.Fields(tt.args)...)
		text, _ := p.CombinedOutput() // its error is the exit code
		if p.ProcessState.ExitCode() != tt.code || !strings.Contains(string(text), tt.text) {
			t.Errorf("%s: %v, want code %d and %q:\n%s", tt.args, p.ProcessState, tt.code, tt.text, text)
		}
	}
}

// TestSize keeps the promise of the README.
func TestSize(t *testing.T) {
	source, err := os.ReadFile("main.go")
	check(t, err)
	if n := strings.Count(string(source), "\n"); n >= 80 {
		t.Errorf("main.go has %d lines; the README promises less than 80", n)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
