package labtest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// maxMessage has room for an uncompressed picture.
const maxMessage = 16 << 20

// process is a waldo-camera as an operator starts it, with no bus: its gRPC API does not need one.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	cameras camerav1.CameraServiceClient
	states  chan *devicev1.Device // all that WatchDevice says, in order; closed when it ends
}

// startCamera starts the program with --key value flags and stops it at the end of the test. All of its log becomes the test's.
func startCamera(t *testing.T, grpcAddress string, flags ...string) *process {
	t.Helper()
	program, err := filepath.Abs("waldo-camera")
	if err != nil {
		t.Fatal(err)
	}
	flags = append([]string{"--robot", "lab", "--device", "front", "--grpc", grpcAddress, "--nats", "nats://127.0.0.1:9"}, flags...)
	cmd := exec.Command(program, flags...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log := &testLog{t: t}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t, cmd, camerav1.NewCameraServiceClient(conn), make(chan *devicev1.Device, 1000)}
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(devicev1.NewDeviceServiceClient(conn)) })
	t.Cleanup(func() {
		p.stop()
		conn.Close()
		watching.Wait()
	})
	return p
}

// watch collects the states of the device until it stops. A short state between two awaits is not missed that way.
func (p *process) watch(devices devicev1.DeviceServiceClient) {
	defer close(p.states)
	watch, err := devices.WatchDevice(context.Background(), &devicev1.WatchDeviceRequest{}) // ends with the process
	for err == nil {
		var response *devicev1.WatchDeviceResponse
		if response, err = watch.Recv(); err == nil {
			p.states <- response.GetDevice()
		}
	}
}

// stop ends the process as a launcher does and expects it to agree.
func (p *process) stop() {
	p.t.Helper()
	start := time.Now()
	p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("waldo-camera: %v", err)
	}
	p.t.Logf("stopped after %.2f s", time.Since(start).Seconds())
}

// context bounds one call.
func (p *process) context() context.Context {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	p.t.Cleanup(cancel)
	return ctx
}

// await waits until the device says that it is in the state, or has said so since the last await, and returns what it says.
func (p *process) await(state devicev1.DeviceState) *devicev1.Device {
	p.t.Helper()
	start := time.Now()
	limit := time.After(patience)
	var last *devicev1.Device
	for {
		select {
		case device, open := <-p.states:
			if !open {
				p.t.Fatalf("%v did not come before the process ended; last was %v", state, last)
			}
			if last = device; last.GetState() == state {
				p.t.Logf("%v after %.2f s %s", state, time.Since(start).Seconds(), last.GetStateReason())
				return last
			}
		case <-limit:
			p.t.Fatalf("%v did not come in %v; last was %v", state, patience, last)
		}
	}
}

func (p *process) awaitReady() *devicev1.Device {
	p.t.Helper()
	return p.await(devicev1.DeviceState_DEVICE_STATE_READY)
}

// awaitAway waits until the device is away for a reason that contains all of the words, whatever their case.
func (p *process) awaitAway(words ...string) *devicev1.Device {
	p.t.Helper()
	device := p.await(devicev1.DeviceState_DEVICE_STATE_AWAY)
	for _, word := range words {
		if !strings.Contains(strings.ToLower(device.GetStateReason()), strings.ToLower(word)) {
			p.t.Errorf("away because of %q: it does not say %q", device.GetStateReason(), word)
		}
	}
	return device
}

func (p *process) formats() *camerav1.ListFormatsResponse {
	p.t.Helper()
	formats, err := p.cameras.ListFormats(p.context(), &camerav1.ListFormatsRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	return formats
}

// reader reads one StreamFrames call. A frame that does not come within the tests' patience ends it.
type reader struct {
	t        *testing.T
	stream   grpc.ServerStreamingClient[camerav1.StreamFramesResponse]
	deadline *time.Timer
}

func (p *process) read(format *mediav1.VideoFormat) *reader {
	p.t.Helper()
	ctx, cancel := context.WithCancelCause(p.t.Context())
	deadline := time.AfterFunc(patience, func() { cancel(errors.New("no frame came")) })
	p.t.Cleanup(func() {
		deadline.Stop()
		cancel(nil)
	})
	stream, err := p.cameras.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: format})
	if err != nil {
		p.t.Fatal(err)
	}
	return &reader{p.t, stream, deadline}
}

func (r *reader) next() *mediav1.VideoFrame {
	r.t.Helper()
	r.deadline.Reset(patience)
	response, err := r.stream.Recv()
	if err != nil {
		r.t.Fatalf("the stream ended: %v (%v)", err, context.Cause(r.stream.Context()))
	}
	return response.GetFrame()
}

// testLog passes whole lines on to the test's log.
type testLog struct {
	t    *testing.T
	mu   sync.Mutex
	rest []byte
}

func (l *testLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		l.t.Logf("camera: %s", line)
		l.rest = rest
	}
}

// otherProgram streams from a device with v4l2-ctl, which keeps the device busy, until the returned function is called.
func otherProgram(t *testing.T, device string) (stop func()) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("v4l2-ctl", "-d", device, "--stream-mmap", "--stream-to="+out.Name())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(stop)
	eventually(t, "other program streams", func() bool {
		info, err := os.Stat(out.Name())
		return err == nil && info.Size() > 0
	})
	return stop
}
