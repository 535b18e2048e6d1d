package camera

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/stamp"
	"github.com/waldo-robot/waldo/video/shared"
)

// TestSharedMemory has two readers of the same pictures in shared memory and one without: each picture is written once,
// and is the one that was captured. H.264 is never in shared memory.
func TestSharedMemory(t *testing.T) {
	w := start(t, Kind(), small())
	w.await(t, "ready", w.state(ready))
	i420 := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	open := func(f *mediav1.VideoFormat, sharing bool) camerav1.CameraService_StreamFramesClient {
		s, err := w.camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: f, SharedMemory: sharing})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	streams := []camerav1.CameraService_StreamFramesClient{open(i420, true), open(i420, true)}
	inMessages, encoded := open(i420, false), open(nil, true)
	var readers [2]shared.Reader
	for range 30 {
		for i, s := range streams {
			step, err := s.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if step.GetShared() == nil || len(step.GetFrame().GetData()) != 0 {
				t.Fatalf("a picture of %d bytes is in the message", len(step.GetFrame().GetData()))
			}
			f, err := readers[i].Read(step, nil)
			if errors.Is(err, shared.ErrLost) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			checkStamp(t, f)
		}
	}
	checkStamp(t, receive(t, inMessages))
	if f := receive(t, encoded); len(f.GetData()) == 0 {
		t.Error("a frame of H.264 is not in its message")
	}
	written, handed := w.metric(t, "waldo_camera_shared_written_total"), w.metric(t, "waldo_camera_shared_handed_total")
	encodes := w.metric(t, `waldo_camera_encoded_total{media_type="video/raw"}`) // read later, so never less
	if handed < 60 || written > encodes {
		t.Errorf("of %v pictures %v were written, and handed over %v times", encodes, written, handed)
	}
	if n := memories(t); n != 1 {
		t.Errorf("%d rings for one format", n)
	}
	cancel()
	w.await(t, "the memory goes with the last reader", func() bool { return memories(t) == 0 })
	for i := range readers {
		readers[i].Close()
	}
}

// memories counts the memory that this process shares.
func memories(t *testing.T) (n int) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		target, err := os.Readlink("/proc/self/fd/" + f.Name())
		if err == nil && strings.HasPrefix(target, "/memfd:waldo-") { // otherwise it was closed meanwhile
			n++
		}
	}
	return n
}

// checkStamp fails if the picture of a frame was not captured when the frame says.
func checkStamp(t *testing.T, f *mediav1.VideoFrame) {
	t.Helper()
	img, err := media.I420FromPacked(f.GetData(), int(f.GetFormat().GetWidthPx()), int(f.GetFormat().GetHeightPx()))
	if err != nil {
		t.Fatal(err)
	}
	at := f.GetCaptureTime().AsTime()
	if s, ok := stamp.Read(img); !ok || s.Time(at).Sub(at).Abs() > time.Millisecond {
		t.Errorf("the picture's stamp is %v %v, captured %v", s.Time(at), ok, at)
	}
}
