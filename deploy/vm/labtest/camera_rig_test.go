package labtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"google.golang.org/grpc"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// camera is a waldo-camera.
type camera struct {
	*process
	cameras camerav1.CameraServiceClient
}

// startCamera starts the program with --key value flags and stops it at the end of the test.
func startCamera(t *testing.T, grpcAddress string, flags ...string) *camera {
	t.Helper()
	p := start(t, "camera", grpcAddress, flags...)
	return &camera{p, camerav1.NewCameraServiceClient(p.conn)}
}

func (c *camera) formats() *camerav1.ListFormatsResponse {
	c.t.Helper()
	formats, err := c.cameras.ListFormats(c.context(), &camerav1.ListFormatsRequest{})
	if err != nil {
		c.t.Fatal(err)
	}
	return formats
}

// reader reads one StreamFrames call.
type reader struct {
	*messages[camerav1.StreamFramesResponse]
}

func (c *camera) read(format *mediav1.VideoFormat) *reader {
	c.t.Helper()
	return &reader{read(c.t, func(ctx context.Context) (grpc.ServerStreamingClient[camerav1.StreamFramesResponse], error) {
		return c.cameras.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: format})
	})}
}

func (r *reader) next() *mediav1.VideoFrame {
	r.t.Helper()
	return r.messages.next().GetFrame()
}

// otherProgram streams from a device with v4l2-ctl, which keeps the device busy, until the returned function is
// called.
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
