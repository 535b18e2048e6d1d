package camera

import (
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/camera"
)

// TestCaptures: an actuator that wants to know of pictures starts no camera; when somebody watches, it learns of each
// picture by the time that the frame has, on whichever stream.
func TestCaptures(t *testing.T) {
	w := start(t, Kind(), small())
	w.await(t, "ready", w.state(ready))
	said, err := bus.Subscribe[*mediav1.Capture](w.conn.Conn, w.address.Out(camera.Captures), stream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(said.Close)
	t.Cleanup(w.conn.Hold(w.address, camera.Captures, "test").Close)
	w.await(t, "captures are held", func() bool {
		return w.metric(t, `waldo_device_holders{stream="captures"}`) == 1
	})
	if n := w.metric(t, "waldo_camera_captured_total"); n != 0 {
		t.Errorf("%v pictures were captured for nobody", n)
	}
	for _, name := range []string{"video", "video-jpeg"} {
		shown, err := bus.Subscribe[*mediav1.VideoFrame](w.conn.Conn, w.address.Out(name), stream.DropOldest(1000))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(shown.Close)
		hold := w.conn.Hold(w.address, name, "test")
		known := map[time.Time]bool{}
		for i := range 20 {
			f, err := shown.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for at := f.GetCaptureTime().AsTime(); !known[at]; {
				c, err := said.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if c.GetEpoch() != w.process.Kit().Epoch() || c.GetAge().AsDuration() < 0 {
					t.Fatalf("%s, frame %d: %v", name, i, c)
				}
				known[c.GetCaptureTime().AsTime()] = true
			}
		}
		hold.Close()
	}
}
