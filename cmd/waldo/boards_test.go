package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/logtest"
)

// boardsUp runs a robot with a board that moves and one that does not, and points the commands to it.
func boardsUp(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", launchtest.Install(t, "waldo-serial", "waldo-camera", "waldo-gateway"))
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	bus := free(t)
	file := launchtest.WriteRobot(t, fmt.Sprintf(`robot: demo
devices:
  front: {kind: camera, grpc: "127.0.0.1:0"}
  motors: {kind: serial, grpc: "127.0.0.1:0", actuator: true, control: {key: secret}}
  display: {kind: serial, grpc: "127.0.0.1:0"}
nats: {listen: %q}
`, bus))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx, []string{"up", "--no-gateway", file}, console{io.Discard, logtest.Writer(t)})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	ls(t, 3, "--nats", "nats://"+bus)
	t.Setenv("WALDO_NATS", "nats://"+bus) // not earlier: the robot would look for its bus there
}

// watching is `waldo watch` on a goroutine.
type watching struct {
	t     *testing.T
	lines *bufio.Scanner
}

func watch(t *testing.T, args ...string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var code int
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		code = run(ctx, append([]string{"watch"}, args...), console{w, io.Discard})
		_ = w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		_ = r.Close()
		<-ended
		if code != 0 && ctx.Err() == nil {
			t.Errorf("waldo watch ended with %d", code)
		}
	})
	return &watching{t, bufio.NewScanner(r)}
}

// until returns at the wanted message, with all messages before it that were not null.
func (w *watching) until(want string) (before []string) {
	w.t.Helper()
	for begin := time.Now(); time.Since(begin) < time.Minute && w.lines.Scan(); {
		var line struct {
			Sequence *int64
			Time     time.Time
			Message  json.RawMessage
		}
		if err := json.Unmarshal(w.lines.Bytes(), &line); err != nil || line.Sequence == nil || line.Time.IsZero() {
			w.t.Fatalf("%s: %v", w.lines.Bytes(), err)
		}
		switch text := string(line.Message); text {
		case want:
			return before
		case "null":
		default:
			before = append(before, text)
		}
	}
	w.t.Fatalf("%s did not come, but %q", want, before)
	return nil
}

func TestWatchAndSend(t *testing.T) {
	boardsUp(t)
	display, motors := watch(t, "display"), watch(t, "demo/motors")
	display.until("null")
	motors.until("null")
	for said, heard := range map[string]string{`{"a": 1}`: `{"a":1}`, "hello": `"hello"`, `"quoted"`: `"quoted"`} {
		if code, _, err := waldo(t, "send", "display", said); code != 0 {
			t.Errorf("send %s: %d, %s", said, code, err)
		}
		display.until(heard)
	}
	if code, _, err := waldo(t, "send", "motors", "[7]"); code != 0 {
		t.Fatalf("send: %d, %s", code, err)
	}
	if before := motors.until("[7]"); len(before) == 0 || strings.Trim(strings.Join(before, ""), "[0]") != "" {
		t.Errorf("before it moves, the board receives %q", before)
	}
	motors.until("[0]")
	if code, _, err := waldo(t, "send", "motors", "[8]", "--for", "400ms"); code != 0 {
		t.Fatalf("send for some time: %d, %s", code, err)
	}
	motors.until("[8]")
	if again := motors.until("[0]"); len(again) < 2 {
		t.Errorf("it was sent once and %d times more", len(again))
	}
	if code, out, _ := waldo(t, "watch", "motors", "--stream", "control", "-n", "1"); code != 0 ||
		!strings.Contains(out, `"phase":"CONTROL_PHASE_`) {
		t.Errorf("control: %d, %s", code, out)
	}
	for want, args := range map[string][]string{
		"demo/front has no streams":                      {"watch", "front"},
		`demo/motors has no stream "rxx"; there are: rx`: {"watch", "motors", "--stream", "rxx"},
		`there is no device "moters"`:                    {"send", "moters", "1"},
		"demo/front is a device of kind camera":          {"send", "front", "1"},
		"--for: -1s is negative":                         {"send", "motors", "1", "--for=-1s"},
		"holder":                                         {"send", "motors", "[0]", "--take"},
	} {
		code, _, err := waldo(t, args...)
		if want == "holder" {
			want = "demo/motors: key: this needs the override key"
		}
		if code != 1 || !strings.Contains(err, want) {
			t.Errorf("%q: %d, %s, want %s", args, code, err, want)
		}
	}
	if code, _, err := waldo(t, "send", "motors", "[0]", "--take", "--key", "secret"); code != 0 {
		t.Errorf("take: %d, %s", code, err)
	}
}

func TestEstop(t *testing.T) {
	boardsUp(t)
	if code, _, err := waldo(t, "estop", "--reason", "smoke\xff"); code != 0 || err != "demo/motors stopped\n" {
		t.Fatalf("%d, %s", code, err)
	}
	if code, _, err := waldo(t, "send", "motors", "[0]"); code != 1 || !strings.Contains(err, "an e-stop is latched") {
		t.Errorf("send: %d, %s", code, err)
	}
	if code, _, err := waldo(t, "estop", "--clear"); code != 1 || !strings.Contains(err, "demo/motors: key: ") {
		t.Errorf("clear without the key: %d, %s", code, err)
	}
	for range 2 { // the second one has nothing to clear
		if code, _, err := waldo(t, "estop", "--clear", "--key", "secret"); code != 0 || err != "demo/motors cleared\n" {
			t.Errorf("clear: %d, %s", code, err)
		}
	}
	if code, _, err := waldo(t, "send", "motors", "[7]"); code != 0 {
		t.Errorf("send after it: %d, %s", code, err)
	}
	if code, _, err := waldo(t, "estop", "--robot", "other"); code != 1 ||
		!strings.Contains(err, "there is no actuator on nats://") {
		t.Errorf("another robot: %d, %s", code, err)
	}
}

// stranger is a device with its own message type.
type stranger struct {
	devicev1.UnimplementedDeviceServiceServer
}

func (stranger) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return &devicev1.GetDeviceResponse{Device: &devicev1.Device{
		Robot: "demo", Name: "shade", Kind: "thermometer", GrpcAddress: "127.0.0.1:7103", Streams: []*devicev1.StreamInfo{
			{Name: "temperature", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT, MessageType: "acme.v1.Temperature"},
		},
	}}, nil
}

// TestWatchUnknownType: nothing could ever be printed, so the command ends at once with the reason.
func TestWatchUnknownType(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	service, err := conn.Serve(bus.ServiceConfig{Address: bus.Address{Robot: "demo", Device: "shade"},
		Kind: "thermometer", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.RegisterService(&devicev1.DeviceService_ServiceDesc, stranger{}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"--stream", "temperature"}, {"-n", "1"}} {
		code, out, said := waldo(t, append([]string{"watch", "shade", "--nats", server.URL()}, args...)...)
		want := `waldo: the messages of demo/shade, stream "temperature", are of the type "acme.v1.Temperature", which waldo does not know`
		if code != 1 || out != "" || !strings.HasPrefix(said, want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%q: %d, %q, %s", args, code, out, said)
		}
	}
}
