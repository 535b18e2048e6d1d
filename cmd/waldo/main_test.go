package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/device"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "waldo" { // installed by a test
		main()
	}
	launchtest.Main(m)
}

// waldo runs one command line to completion.
func waldo(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, console{&stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// robotUp runs a robot with two cameras until the test ends, and returns the URL of its bus. Stop ends
// it and returns the exit code and what it printed.
func robotUp(t *testing.T) (natsURL string, stop func() (int, string)) {
	t.Helper()
	t.Setenv("PATH", launchtest.Install(t, "waldo-camera", "waldo-gateway"))
	http, bus := free(t), free(t)
	file := launchtest.WriteRobot(t, fmt.Sprintf(`robot: demo
devices:
  front: {kind: camera, grpc: "127.0.0.1:0"}
  rear: {kind: camera, grpc: "127.0.0.1:0"}
gateway: {http: %q, ice: "127.0.0.1:0"}
nats: {listen: %q}
`, http, bus))
	ctx, cancel := context.WithCancel(t.Context())
	var logs bytes.Buffer
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"up", file}, console{w, &logs})
		w.Close()
	}()
	t.Cleanup(cancel)
	if line, err := bufio.NewReader(r).ReadString('\n'); err != nil || line != "http://"+http+"/\n" {
		t.Fatalf("it printed %q, %v\n%s", line, err, logs.String())
	}
	return "nats://" + bus, func() (int, string) { cancel(); return <-code, logs.String() }
}

// ls lists the devices once there are n, and all of them ready.
func ls(t *testing.T, n int, flags ...string) []listed {
	t.Helper()
	var devices []listed
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		code, out, err := waldo(t, append([]string{"ls", "--json"}, flags...)...)
		if code != 0 {
			t.Fatalf("waldo ls: code %d, %s", code, err)
		}
		if err := json.Unmarshal([]byte(out), &devices); err != nil {
			t.Fatal(err)
		}
		unready := func(d listed) bool { return d.State != "ready" }
		if len(devices) == n && !slices.ContainsFunc(devices, unready) {
			return devices
		}
	}
	t.Fatalf("there are %d devices, want %d", len(devices), n)
	return nil
}

// TestWhole is the life of a robot as its user sees it.
func TestWhole(t *testing.T) {
	nats, stop := robotUp(t)
	t.Setenv("WALDO_NATS", nats)
	devices := ls(t, 2)
	front := devices[0]
	if front.Robot != "demo" || front.Name != "front" || front.Kind != "camera" || front.PID == 0 ||
		front.GRPCAddress == "" ||
		front.MetricsAddress == "" || front.Epoch == "" || front.UptimeSeconds <= 0 {
		t.Errorf("front is %+v", front)
	}
	t.Run("table", func(t *testing.T) {
		_, out, _ := waldo(t, "ls")
		want := regexp.MustCompile(`^ROBOT  DEVICE  KIND .*\ndemo   front   camera  ready .*\ndemo   rear    camera  ready .*\n$`)
		if !want.MatchString(out) {
			t.Errorf("got\n%s", out)
		}
	})
	t.Run("other robot", func(t *testing.T) {
		if code, out, err := waldo(t, "ls", "--robot", "other"); code != 0 || out != "" ||
			!strings.HasPrefix(err, "no devices on nats://") {
			t.Errorf("got %d, %q, %q", code, out, err)
		}
		if code, out, _ := waldo(t, "ls", "--robot", "other", "--json"); code != 0 || out != "[]\n" {
			t.Errorf("got %d, %q", code, out)
		}
	})
	t.Run("snapshot", func(t *testing.T) { testSnapshot(t) })
	code, logs := stop()
	if code != 0 {
		t.Errorf("waldo up ended with %d\n%s", code, logs)
	}
	for _, want := range []string{"waldo   │ robot demo, bus nats://", "front   │ INFO "} {
		if !strings.Contains(logs, want) {
			t.Errorf("%q is not in:\n%s", want, logs)
		}
	}
	for _, d := range devices {
		if launchtest.Running(int(d.PID)) {
			t.Errorf("%s was left behind", d.Name)
		}
	}
}

func testSnapshot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.jpg")
	for name, args := range map[string][]string{
		"plain": {"front"}, "full name": {"demo/front"}, "size": {"front", "--width", "32", "--height", "16"},
	} {
		if code, _, err := waldo(t, append([]string{"snapshot", "-o", file}, args...)...); code != 0 ||
			!strings.HasPrefix(err, "wrote "+file) {
			t.Errorf("%s: got %d, %s", name, code, err)
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := jpeg.DecodeConfig(f)
		f.Close()
		if err != nil || (name == "size") != (picture.Width == 32 && picture.Height == 16) {
			t.Errorf("%s: wrote %+v, %v", name, picture, err)
		}
	}
	if code, out, err := waldo(t, "snapshot", "front", "-o", "-"); code != 0 || !strings.HasPrefix(out, "\xff\xd8") {
		t.Errorf("to the output: got %d, %d bytes, %s", code, len(out), err)
	}
	for want, args := range map[string][]string{
		"waldo: there is no device \"frnt\" on the bus; there are: demo/front, demo/rear\n": {"frnt"},
		"waldo: device \"front\": no device of a robot \"other\" has answered within ":      {"front", "--robot", "other"},
		"waldo: open /nowhere/.a.jpg.": {"front", "-o", "/nowhere/a.jpg"},
	} {
		if code, _, err := waldo(t, append([]string{"snapshot"}, args...)...); code != 1 || !strings.HasPrefix(err, want) {
			t.Errorf("%v: got %d, %q, want %q", args, code, err, want)
		}
	}
}

func TestUpErrors(t *testing.T) {
	t.Setenv("PATH", launchtest.Install(t, "waldo-camera", "waldo-gateway"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, tt := range map[string]struct {
		yaml string
		code int
		want string
	}{
		"syntax": {"robot: [", device.ExitConfiguration, "robot.yaml:1: did not find expected node content"},
		"unknown": {"robot: a\ndevices: {f: {kind: lidar, grpc: \"127.0.0.1:0\"}}\nnats: {listen: \"127.0.0.1:0\"}",
			device.ExitConfiguration, "devices.f.kind: there is no program waldo-lidar"},
		"key": {"robot: a\ndevices: {f: {kind: camera, widht: 3, grpc: \"127.0.0.1:0\"}}\nnats: {listen: \"127.0.0.1:0\"}",
			device.ExitConfiguration, `devices.f: unknown key "widht" (did you mean "width"?)`},
		"in use": {fmt.Sprintf("robot: a\ndevices: {f: {kind: camera, grpc: %q}}\nnats: {listen: \"127.0.0.1:0\"}",
			l.Addr()),
			device.ExitAddress, "devices.f.grpc: " + l.Addr().String() + " is in use"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, err := waldo(t, "up", "--no-gateway", "--check", launchtest.WriteRobot(t, tt.yaml))
			if code != tt.code || !strings.Contains(err, tt.want) {
				t.Errorf("got %d:\n%s\nwant %d with %q", code, err, tt.code, tt.want)
			}
		})
	}
	if code, _, err := waldo(t, "up", "/nowhere/robot.yaml"); code != device.ExitConfiguration ||
		!strings.Contains(err, "no such file") {
		t.Errorf("missing file: got %d, %s", code, err)
	}
}

func TestUpCheck(t *testing.T) {
	t.Setenv("PATH", launchtest.Install(t, "waldo-camera"))
	file := launchtest.WriteRobot(t, "robot: a\ndevices: {f: {kind: camera, grpc: \"127.0.0.1:0\"}}\nnats: "+
		"{listen: \"127.0.0.1:0\"}")
	if code, out, err := waldo(t, "up", "--no-gateway", "--check", file); code != 0 || out+err != "" {
		t.Errorf("got %d, %s%s", code, out, err)
	}
}

func TestUpCheckWarns(t *testing.T) {
	t.Setenv("PATH", launchtest.Install(t, "waldo-camera"))
	file := launchtest.WriteRobot(t, "robot: a\ndevices:\n  f: {kind: camera, grpc: \"127.0.0.1:0\"}\n"+
		"  g: {kind: camera, grpc: \"127.0.0.1:0\", jpeg_quality: 7}\nnats: {listen: \"127.0.0.1:0\"}")
	want := "warning: " + file + `:4: devices.g: "jpeg_quality" is an old spelling: write jpegQuality` + "\n"
	if code, out, err := waldo(t, "up", "--no-gateway", "--check", file); code != 0 || out != "" || err != want {
		t.Errorf("got %d, %s%s, want %s", code, out, err, want)
	}
}

func TestBus(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"bus", "--listen", "127.0.0.1:0"}, console{w, io.Discard}) }()
	url, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url = strings.TrimSpace(url)
	if code, out, err := waldo(t, "ls", "--json", "--nats", url); code != 0 || out != "[]\n" {
		t.Errorf("waldo ls: got %d, %q, %s", code, out, err)
	}
	if code, _, err := waldo(t, "bus", "--listen", strings.TrimPrefix(url, "nats://")); code != device.ExitAddress ||
		!strings.Contains(err, "--listen") {
		t.Errorf("a second one: got %d, %s", code, err)
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("ended with %d", got)
	}
	if code, _, err := waldo(t, "bus", "--listen", "0.0.0.0:0"); code != device.ExitConfiguration ||
		!strings.Contains(err, "token") {
		t.Errorf("open to all: got %d, %s", code, err)
	}
}

func TestNoBus(t *testing.T) {
	for _, args := range [][]string{{"ls"}, {"snapshot", "front"}} {
		code, _, err := waldo(t, append(args, "--nats", "nats://"+free(t), "--timeout", "100ms")...)
		if code != 1 || !strings.Contains(err, "is `waldo up` running?") {
			t.Errorf("%v: got %d, %s", args, code, err)
		}
	}
	if code, _, err := waldo(t, "ls", "--nats", "nats://%zz"); code != device.ExitConfiguration ||
		!strings.Contains(err, "--nats") {
		t.Errorf("not a URL: got %d, %s", code, err)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"help"}, {"--help"}, {"-h"}} {
		code, out, err := waldo(t, args...)
		for _, want := range []string{"waldo up robot.yaml", "snapshot", "Exit codes"} {
			if code != 0 || err != "" || !strings.Contains(out, want) {
				t.Errorf("%q: code %d, %q is not in:\n%s%s", args, code, want, out, err)
			}
		}
	}
	for command, want := range map[string]string{"up": "kind: camera", "bus": "waldo bus &", "ls": "jq",
		"snapshot": "now.jpg"} {
		if code, out, _ := waldo(t, "help", command); code != 0 || !strings.Contains(out, want) {
			t.Errorf("help %s: code %d, %q is not in:\n%s", command, code, want, out)
		}
	}
}

func TestWrongCommandLine(t *testing.T) {
	for _, args := range [][]string{{"fly"}, {"ls", "--jsn"}, {"snapshot"}, {"up", "a", "b"},
		{"ls", "--timeout", "soon"}} {
		if code, out, err := waldo(t, args...); code != exitUsage || out != "" || !strings.Contains(err, "waldo --help") {
			t.Errorf("%q: got %d, %q, %q", args, code, out, err)
		}
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := waldo(t, "version"); code != 0 ||
		!regexp.MustCompile(`^waldo \d+\.\d+\.\d+(-dev)? \(.*go1\..*\)\n$`).MatchString(out) {
		t.Errorf("got %d, %q", code, out)
	}
}

func TestListAway(t *testing.T) {
	now := time.Unix(1000, 0)
	got := list(&devicev1.Device{State: devicev1.DeviceState_DEVICE_STATE_AWAY, StateReason: "unplugged",
		Epoch:     1<<62 + 1,
		StartTime: timestamppb.New(now.Add(-90 * time.Second))}, now)
	if got.State != "away" || got.Epoch != "4611686018427387905" || got.UptimeSeconds != 90 {
		t.Errorf("got %+v", got)
	}
	var out bytes.Buffer
	if err := printTable(&out, []listed{got}); err != nil || !strings.Contains(out.String(), "1m30s") ||
		!strings.Contains(out.String(), "unplugged") {
		t.Errorf("%v\n%s", err, out.String())
	}
	guest := listed{Attributes: map[string]string{"publisher": "Ann", "program": "OBS 31.0", "via": "whip", "address": ""}}
	if note := guest.note(); note != "Ann sends (OBS 31.0, whip)" {
		t.Errorf("the note of a device that somebody sends to is %q", note)
	}
	if err := printTable(failing{}, []listed{got}); err == nil {
		t.Error("an output that takes nothing was not noticed")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }
