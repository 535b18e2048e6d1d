package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestPython runs the example for Python with grpcio from PyPI.
func TestPython(t *testing.T) {
	python := os.Getenv("WALDO_PYTHON")
	if python == "" {
		t.Fatal("WALDO_PYTHON is not set: run the tests with `make test`, or set it to the Python of " +
			"`make venv`")
	}
	robot := harness.StartRobot(t, harness.Options{
		Devices: `front: {kind: camera, source: test, width: 640, height: 480, fps: 30}
		wide: {kind: camera, source: test, width: 1280, height: 720, fps: 30}`,
	})
	for device, want := range map[string]string{"front": "(480, 640, 3)", "wide": "(720, 1280, 3)"} {
		address := robot.Device(t, device).GRPCAddress
		out := harness.Run(t, nil, python, "../examples/python/frames.py", address)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if len(lines) != 10 {
			t.Errorf("%s: %d lines, want 10:\n%s", device, len(lines), out)
		}
		for _, line := range lines {
			if !strings.Contains(line, want) || !strings.Contains(line, "uint8") {
				t.Errorf("%s: %q is not an array of shape %s", device, line, want)
			}
		}
	}
}

// TestGrpcurl lists and calls what every device serves, with nothing but its address.
func TestGrpcurl(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	address := robot.Device(t, "front").GRPCAddress
	grpcurl := func(args ...string) string {
		return harness.Run(t, nil, harness.Bin(t, "tools/grpcurl"),
			append([]string{"-plaintext", "-max-msg-sz", "67108864"}, args...)...)
	}
	services := grpcurl(address, "list")
	for _, want := range []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
		"waldo.camera.v1.CameraService", "waldo.device.v1.DeviceService"} {
		if !strings.Contains(services, want) {
			t.Errorf("%s is not listed in:\n%s", want, services)
		}
	}
	calls := []struct{ method, request, want string }{
		{"grpc.health.v1.Health/Check", `{"service":"waldo.camera.v1.CameraService"}`, "SERVING"},
		{"waldo.device.v1.DeviceService/GetDevice", `{}`, "DEVICE_STATE_READY"},
		{"waldo.device.v1.DeviceService/HoldStream", `{"stream":"video","holder":"grpcurl","ttl":"1s"}`,
			"waldo.v1.e2e.front.out.video"},
		{"waldo.camera.v1.CameraService/ListFormats", `{}`, "video/H264"},
		{"waldo.camera.v1.CameraService/CaptureFrame", `{}`, "image/jpeg"},
		{"waldo.camera.v1.CameraService/GetControls", `{}`, "{"},
		{"waldo.camera.v1.CameraService/SetControls", `{}`, "{"},
		{"waldo.camera.v1.CameraService/RequestKeyFrame", `{}`, "{"},
		{"waldo.camera.v1.CameraService/SetBitrate", `{"bitrateBps":"1000000"}`, "1000000"},
	}
	for _, call := range calls {
		if out := grpcurl("-d", call.request, address, call.method); !strings.Contains(out, call.want) {
			t.Errorf("%s: no %q in:\n%.500s", call.method, call.want, out)
		}
	}
}

// TestCommandLine runs the commands that people type.
func TestCommandLine(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	robot.Device(t, "front")
	env := []string{"WALDO_NATS=" + robot.NATS}
	waldo := harness.Bin(t, "waldo")
	if table := harness.Run(t, env, waldo, "ls"); !strings.Contains(table, "front") || !strings.Contains(table, "camera") {
		t.Errorf("waldo ls:\n%s", table)
	}
	file := filepath.Join(t.TempDir(), "front.jpg")
	harness.Run(t, env, waldo, "snapshot", "front", "-o", file)
	if picture, err := os.ReadFile(file); err != nil || len(picture) < 1000 || string(picture[:2]) != "\xff\xd8" {
		t.Errorf("waldo snapshot wrote %d bytes, %v", len(picture), err)
	}
	if version := harness.Run(t, env, waldo, "version"); !strings.Contains(version, "0.1") {
		t.Errorf("waldo version: %q", version)
	}
	var raw []map[string]any
	if err := json.Unmarshal([]byte(harness.Run(t, env, waldo, "ls", "--json")), &raw); err != nil || len(raw) != 1 {
		t.Errorf("waldo ls --json: %v, %v", raw, err)
	}
}

// TestNothingIsLeft stops a robot as Ctrl-C does.
func TestNothingIsLeft(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	robot.Device(t, "front")
	children := harness.Children(t, robot.PID(), "")
	if len(children) != 2 {
		t.Fatalf("the launcher has %d children, want a camera and a gateway", len(children))
	}
	if code := robot.Stop(t); code != 0 {
		t.Errorf("waldo up ended with %d", code)
	}
	for _, pid := range children {
		if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err == nil {
			t.Errorf("process %d is left", pid)
		}
	}
}
