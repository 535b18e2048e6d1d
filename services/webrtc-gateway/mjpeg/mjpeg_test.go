package mjpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// camera is a device whose pictures the test sends.
type camera struct {
	frames chan *mediav1.VideoFrame
	opened atomic.Int32
	open   atomic.Int32
	broken error
}

func newCamera() *camera { return &camera{frames: make(chan *mediav1.VideoFrame)} }

func (c *camera) JPEG(_ context.Context, device string) (string, error) {
	if device != "front" {
		return "", fmt.Errorf("there is no %s", device)
	}
	return "video-jpeg", nil
}

func (c *camera) Newest(string, string) (Feed, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	c.opened.Add(1)
	c.open.Add(1)
	return &feed{c}, nil
}

type feed struct{ *camera }

func (f *feed) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	select {
	case p, ok := <-f.frames:
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *feed) Close() { f.open.Add(-1) }

func picture(epoch, sequence int64) *mediav1.VideoFrame {
	return &mediav1.VideoFrame{
		Epoch: epoch, Sequence: sequence, CaptureTime: timestamppb.Now(), KeyFrame: true,
		Format: &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 64, HeightPx: 48, FrameRateHz: 10},
		Data:   fmt.Appendf([]byte("\xff\xd8\xff"), "picture %d", sequence),
	}
}

// rig is a hub in a bubble of its own time.
type rig struct {
	*testing.T
	*Hub
	camera *camera
}

func inBubble(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera()
		h := NewHub(c, Config{Metrics: prometheus.NewRegistry()})
		defer h.Close()
		test(&rig{t, h, c})
	})
}

func (r *rig) watch(rate float64) *Viewer {
	r.Helper()
	v, err := r.Watch(r.Context(), "front", rate)
	if err != nil {
		r.Fatal(err)
	}
	return v
}

// send sends a picture, and returns when all viewers could have it.
func (r *rig) send(f *mediav1.VideoFrame) {
	r.camera.frames <- f
	synctest.Wait()
}

func (r *rig) expect(v *Viewer, epoch, sequence int64) {
	r.Helper()
	f, err := v.Next(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	if f.GetEpoch() != epoch || f.GetSequence() != sequence {
		r.Errorf("picture %d of life %d came, want %d of %d", f.GetSequence(), f.GetEpoch(), sequence, epoch)
	}
}

// nothing checks that no picture waits.
func (r *rig) nothing(v *Viewer) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Nanosecond)
	defer cancel()
	if f, err := v.Next(ctx); err == nil {
		r.Errorf("picture %d came", f.GetSequence())
	}
}

func (r *rig) lost(where string, want float64) {
	r.Helper()
	if got := testutil.ToFloat64(r.metrics.lost.WithLabelValues("front", where)); got != want {
		r.Errorf("%v pictures are lost (%s), want %v", got, where, want)
	}
}

// TestOneStreamForAll: viewers come and go, and the camera is read once while there is one.
func TestOneStreamForAll(t *testing.T) {
	inBubble(t, func(r *rig) {
		a, b := r.watch(0), r.watch(0)
		r.send(picture(1, 7))
		r.expect(a, 1, 7)
		a.Close()
		a.Close()
		r.expect(b, 1, 7)
		c := r.watch(0)
		r.send(picture(1, 8))
		r.expect(b, 1, 8)
		r.expect(c, 1, 8)
		if n := testutil.ToFloat64(r.metrics.viewers.WithLabelValues("front")); n != 2 {
			r.Errorf("%v viewers are counted, want 2", n)
		}
		b.Close()
		c.Close()
		synctest.Wait()
		if opened, open := r.camera.opened.Load(), r.camera.open.Load(); opened != 1 || open != 0 {
			r.Errorf("the stream was opened %d times, and %d are open", opened, open)
		}
		if n := testutil.ToFloat64(r.metrics.viewers.WithLabelValues("front")); n != 0 {
			r.Errorf("%v viewers are counted, want 0", n)
		}
		r.watch(0).Close()
		synctest.Wait()
		if r.camera.opened.Load() != 2 {
			r.Error("the next viewer does not open the stream again")
		}
	})
}

// TestSlowViewer sees the newest picture, never an old one, and keeps nobody waiting.
func TestSlowViewer(t *testing.T) {
	inBubble(t, func(r *rig) {
		slow, fast := r.watch(0), r.watch(0)
		defer slow.Close()
		defer fast.Close()
		for i := range int64(5) {
			r.send(picture(1, i))
			r.expect(fast, 1, i)
		}
		r.expect(slow, 1, 4)
		r.lost(lostByViewer, 4)
		r.send(picture(1, 5))
		r.expect(fast, 1, 5)
		time.Sleep(maxAge + time.Millisecond) // what waits is too old now
		r.nothing(slow)
		r.lost(lostByViewer, 5)
		r.send(picture(1, 6))
		r.expect(slow, 1, 6)
		r.lost(lostOnBus, 0)
	})
}

// TestCameraThatRestarts: its next life goes on, whatever its numbers are.
func TestCameraThatRestarts(t *testing.T) {
	inBubble(t, func(r *rig) {
		v := r.watch(0)
		defer v.Close()
		r.send(picture(1, 100))
		r.expect(v, 1, 100)
		time.Sleep(time.Hour)
		r.send(picture(2, 0))
		r.expect(v, 2, 0)
		r.send(picture(2, 3))
		r.expect(v, 2, 3)
		r.lost(lostOnBus, 2)
		r.send(picture(2, 2)) // late
		r.nothing(v)
	})
}

// TestNoJPEG: what is none is counted, and no viewer gets it.
func TestNoJPEG(t *testing.T) {
	inBubble(t, func(r *rig) {
		v := r.watch(0)
		defer v.Close()
		for name, change := range map[string]func(*mediav1.VideoFrame){
			"of another type": func(f *mediav1.VideoFrame) { f.Format.MediaType = media.VP8 },
			"of no type":      func(f *mediav1.VideoFrame) { f.Format = nil },
			"empty":           func(f *mediav1.VideoFrame) { f.Data = nil },
			"something else":  func(f *mediav1.VideoFrame) { f.Data = []byte("\xff\xd7\xff") },
		} {
			f := picture(1, 1)
			change(f)
			r.send(f)
			if ok := isJPEG(f); ok {
				r.Errorf("%s: is a JPEG", name)
			}
		}
		r.nothing(v)
		r.lost(lostGarbage, 4)
		r.send(picture(1, 2))
		r.expect(v, 1, 2)
	})
}

// TestRate: fewer pictures are no losses.
func TestRate(t *testing.T) {
	inBubble(t, func(r *rig) {
		v, all := r.watch(2), r.watch(0)
		defer v.Close()
		defer all.Close()
		var got atomic.Int32
		ctx, cancel := context.WithCancel(r.Context())
		go func() {
			for {
				if _, err := v.Next(ctx); err != nil {
					return
				}
				got.Add(1)
			}
		}()
		for i := range int64(100) { // 10 a second
			r.send(picture(1, i))
			r.expect(all, 1, i)
			time.Sleep(100 * time.Millisecond)
		}
		if n := got.Load(); n < 19 || n > 21 {
			r.Errorf("%d pictures came in 10 s, want 20", n)
		}
		r.lost(lostByViewer, 0)
		cancel()
		synctest.Wait()
	})
}

// TestEnds: a viewer ends with the hub, and with a stream that ends.
func TestEnds(t *testing.T) {
	inBubble(t, func(r *rig) {
		v := r.watch(0)
		close(r.camera.frames)
		if _, err := v.Next(r.Context()); !errors.Is(err, io.EOF) {
			r.Errorf("after the end of the stream: %v", err)
		}
		v.Close()
		r.camera.frames = make(chan *mediav1.VideoFrame)
		v = r.watch(0)
		defer v.Close()
		r.Hub.Close()
		if _, err := v.Next(r.Context()); !errors.Is(err, io.EOF) {
			r.Errorf("after the end of the hub: %v", err)
		}
		if _, err := r.Watch(r.Context(), "front", 0); err == nil {
			r.Error("a closed hub has viewers")
		}
	})
}

func TestErrorsOfDevices(t *testing.T) {
	inBubble(t, func(r *rig) {
		if _, err := r.Watch(r.Context(), "rear", 0); err == nil || r.Check(r.Context(), "rear") == nil {
			r.Error("a stranger can be watched")
		}
		r.camera.broken = errors.New("no bus")
		if _, err := r.Watch(r.Context(), "front", 0); !errors.Is(err, r.camera.broken) {
			r.Errorf("of a stream that cannot be opened: %v", err)
		}
	})
}

// TestParts: what is written is read by a library that has nothing to do with this one, and each picture is complete
// before the next one comes.
func TestParts(t *testing.T) {
	var body bytes.Buffer
	p := NewParts(&body)
	kind, params, err := mime.ParseMediaType(p.ContentType())
	if err != nil || kind != "multipart/x-mixed-replace" {
		t.Fatalf("%s: %v", p.ContentType(), err)
	}
	pictures := [][]byte{[]byte("\xff\xd8\xffone\r\n--"), bytes.Repeat([]byte("\r\n"), 5000), {0xff}}
	for _, data := range pictures {
		captured := timestamppb.New(time.Unix(1700000000, 45000))
		if err := p.Write(&mediav1.VideoFrame{Data: data, CaptureTime: captured}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(body.String(), "\r\n--"+params["boundary"]+"\r\n") {
			t.Errorf("the body ends with %q", body.String()[max(0, body.Len()-40):])
		}
	}
	r := multipart.NewReader(&body, params["boundary"])
	for i, data := range pictures {
		part, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(part)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("picture %d: %q, %v", i, got, err)
		}
		h := part.Header
		if h.Get("Content-Type") != "image/jpeg" || h.Get("Content-Length") != fmt.Sprint(len(data)) ||
			h.Get("X-Timestamp") != "1700000000.000045" {
			t.Errorf("picture %d: %v", i, h)
		}
	}
}

// TestPartsThatCannotBeWritten: errors of the writer come back, wherever they are.
func TestPartsThatCannotBeWritten(t *testing.T) {
	for room := range 3 {
		p := NewParts(&narrow{room})
		if err := p.Write(picture(1, 1)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after %d writes: %v", room, err)
		}
	}
}

// narrow takes so many writes.
type narrow struct{ room int }

func (n *narrow) Write(b []byte) (int, error) {
	if n.room == 0 {
		return 0, io.ErrClosedPipe
	}
	n.room--
	return len(b), nil
}
