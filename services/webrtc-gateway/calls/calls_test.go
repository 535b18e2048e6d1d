package calls

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
)

// TestCallable: a new method of Waldo's own becomes callable by peers only by a decision, which is a line here.
func TestCallable(t *testing.T) {
	want := []string{
		"waldo.audio.v1.AudioService/GetVolume", "waldo.audio.v1.AudioService/ListDevices",
		"waldo.audio.v1.AudioService/SetVolume",
		"waldo.camera.v1.CameraService/CaptureFrame", "waldo.camera.v1.CameraService/GetControls",
		"waldo.camera.v1.CameraService/ListFormats", "waldo.camera.v1.CameraService/RequestKeyFrame",
		"waldo.camera.v1.CameraService/SetBitrate", "waldo.camera.v1.CameraService/SetControls",
		"waldo.control.v1.ControlService/Acquire", "waldo.control.v1.ControlService/ClearEStop",
		"waldo.control.v1.ControlService/EStop", "waldo.control.v1.ControlService/GetControl",
		"waldo.control.v1.ControlService/KeepAlive", "waldo.control.v1.ControlService/Release",
		"waldo.control.v1.ControlService/Take",
		"waldo.device.v1.DeviceService/GetDescriptors", "waldo.device.v1.DeviceService/GetDevice",
		"waldo.device.v1.DeviceService/GetRestartSafety",
		"waldo.input.v1.InputService/GetInput", "waldo.input.v1.InputService/GetState",
		"waldo.input.v1.InputService/ListInputs",
		"waldo.player.v1.PlayerService/GetPlayer", "waldo.player.v1.PlayerService/Pause",
		"waldo.player.v1.PlayerService/Play", "waldo.player.v1.PlayerService/Seek",
		"waldo.player.v1.PlayerService/SetLoop", "waldo.player.v1.PlayerService/SetSpeed",
		"waldo.serial.v1.SerialService/GetPort", "waldo.serial.v1.SerialService/WriteMessage",
	}
	var got []string
	for _, file := range []protoreflect.FileDescriptor{
		audiov1.File_waldo_audio_v1_audio_proto, camerav1.File_waldo_camera_v1_camera_service_proto,
		controlv1.File_waldo_control_v1_control_service_proto, devicev1.File_waldo_device_v1_device_service_proto,
		inputv1.File_waldo_input_v1_input_service_proto, launcherv1.File_waldo_launcher_v1_launcher_service_proto,
		playerv1.File_waldo_player_v1_player_proto, serialv1.File_waldo_serial_v1_serial_service_proto,
	} {
		for i := range file.Services().Len() {
			got = append(got, callable(file.Services().Get(i))...)
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("peers can call %q, want %q", got, want)
	}
}

func callable(service protoreflect.ServiceDescriptor) (names []string) {
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		name := string(service.FullName()) + "/" + string(m.Name())
		if check(name) == nil && !m.IsStreamingClient() && !m.IsStreamingServer() {
			names = append(names, name)
		}
	}
	return names
}

func TestCheck(t *testing.T) {
	for method, says := range map[string]string{
		"":     "for example",
		"Get":  "for example",
		"/Get": "for example",
		"a.B/": "for example",
		"waldo.device.v1.DeviceService/HoldStream":      "waldo.stream/",
		"waldo.launcher.v1.LauncherService/StopProcess": "for Waldo's own processes",
	} {
		if err := check(method); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "method: ") ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", method, err, says)
		}
	}
	if err := check("acme.v1.ThermometerService/SetUnit"); err != nil {
		t.Error(err)
	}
}
