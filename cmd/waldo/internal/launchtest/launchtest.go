// Package launchtest gives tests of the launcher programs to run: cameras and an echoing serial board,
// made with the device kit, and a gateway that only reports that it is healthy, and whose. The test program itself
// plays all of them.
//
//	func TestMain(m *testing.M) { launchtest.Main(m) }
package launchtest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/device/vital"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// Main runs the tests of a package, in whose processes, and those that they start, robots keep their state in a folder
// that goes with the tests; it fails if goroutines are left. Called by the name of another program, it is that program.
// It does not return.
func Main(m *testing.M) {
	play()
	folder, err := os.MkdirTemp("", "waldo-state-")
	if err == nil {
		err = errors.Join(os.Unsetenv("STATE_DIRECTORY"), os.Setenv("XDG_STATE_HOME", folder))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(folder) // in the folder of temporary files
		os.Exit(code)
	}))
}

// play turns the test program into the program by whose name it was called, and exits. It returns if
// that is the test itself.
func play() {
	switch filepath.Base(os.Args[0]) {
	case "waldo-camera":
		device.Main(device.Kind[cameraConfig]{Name: "camera", Version: "0.0.0", New: newCamera})
	case "waldo-eye":
		device.Main(device.Kind[struct{}]{Name: "eye", Version: "0.0.0", New: newEye})
	case "waldo-peer":
		device.Main(device.Kind[slotConfig]{Name: "peer", Version: "0.0.0", New: newSlot})
	case "waldo-serial":
		device.Main(device.Kind[serialConfig]{Name: "serial", Version: "0.0.0", New: newBoard})
	case "waldo-gateway":
		os.Exit(playGateway())
	}
}

// Install makes a folder with the named programs and returns it. play decides what each of them does.
func Install(tb testing.TB, programs ...string) string {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	for _, p := range programs {
		if err := os.Symlink(self, filepath.Join(dir, p)); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// WriteRobot writes a robot.yaml and returns its path.
func WriteRobot(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "robot.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Running tells whether a process is still running: one that has ended but was not reaped by its parent
// is not.
func Running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

type cameraConfig struct {
	Width   int `yaml:"width"`
	Quality int `yaml:"jpegQuality"`
}

type camera struct {
	camerav1.UnimplementedCameraServiceServer
}

func newCamera(kit *device.Kit, _ cameraConfig) (device.Driver, error) {
	c := &camera{}
	kit.RegisterService(&camerav1.CameraService_ServiceDesc, c)
	return c, nil
}

// Run waits for no hardware.
func (*camera) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// CaptureFrame returns a black picture of the requested size.
func (*camera) CaptureFrame(
	_ context.Context, r *camerav1.CaptureFrameRequest,
) (*camerav1.CaptureFrameResponse, error) {
	var picture bytes.Buffer
	size := image.Rect(0, 0, max(8, int(r.GetFormat().GetWidthPx())), max(8, int(r.GetFormat().GetHeightPx())))
	if err := jpeg.Encode(&picture, image.NewGray(size), nil); err != nil {
		return nil, err
	}
	return &camerav1.CaptureFrameResponse{Frame: &mediav1.VideoFrame{Data: picture.Bytes()}}, nil
}

type slotConfig struct {
	Carries string `yaml:"carries"`
}

// newSlot makes a slot that says what it carries.
func newSlot(kit *device.Kit, c slotConfig) (device.Driver, error) {
	kit.SetAttributes(map[string]string{"carries": c.Carries})
	return &camera{}, nil
}

func playGateway() int {
	file := flag.String("robot-file", "", "")
	check := flag.Bool("check", false, "")
	flag.Parse()
	r, err := robot.LoadHanded(*file, os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return device.ExitConfiguration
	}
	var config struct {
		HTTP string `yaml:"http"`
		ICE  string `yaml:"ice"`
	}
	if v := os.Getenv("WALDO_HTTP"); v != "" {
		r.Gateway.Override("http", v, "WALDO_HTTP")
	}
	if err := r.Gateway.Decode(&config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return device.ExitConfiguration
	}
	if *check {
		return device.ExitStopped
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: config.HTTP, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"status":"ok","instance":%q}`, os.Getenv(vital.Instance)) // the launcher may have left
	})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		return device.ExitAddress
	}
	return device.ExitStopped
}
