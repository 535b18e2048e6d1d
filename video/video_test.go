package video_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/video/camera"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// clip is a whole driver: it plays access units, of which the first is a key frame, over and over.
type clip struct {
	format *mediav1.VideoFormat
	units  [][]byte
	open   context.Context // until Close
	close  context.CancelFunc
}

func openClip(format *mediav1.VideoFormat, units [][]byte) *clip {
	c := &clip{format: format, units: units}
	c.open, c.close = context.WithCancel(context.Background())
	return c
}

var format, jpegFormat = &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 64, HeightPx: 48, FrameRateHz: 100},
	&mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 64, HeightPx: 48, FrameRateHz: 20}

func (c *clip) Info() source.Info {
	return source.Info{Native: []*mediav1.VideoFormat{c.format}, Current: c.format,
		Attributes: map[string]string{"driver": "clip"}}
}

func (c *clip) Capture(ctx context.Context, deliver func(source.Frame)) error {
	tick := time.NewTicker(time.Second / time.Duration(c.format.GetFrameRateHz()))
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n = (n + 1) % len(c.units) {
		deliver(source.Frame{Format: c.format, Time: time.Now(), Data: c.units[n], Key: n == 0})
		select {
		case <-tick.C:
		case <-ctx.Done():
		case <-c.open.Done():
			return fmt.Errorf("the clip was closed: %w", device.ErrAway)
		}
	}
	return nil
}

func (c *clip) Close() error {
	c.close()
	return nil
}

// clipKind is the device around the driver.
func clipKind(codecs codec.Set, format *mediav1.VideoFormat, units [][]byte) device.Kind[struct{}] {
	open := func(context.Context) (source.Source, error) { return openClip(format, units), nil }
	return device.Kind[struct{}]{Name: "clip", Version: version.Version,
		New: func(kit *device.Kit, _ struct{}) (device.Driver, error) {
			return camera.New(kit, camera.Config{Codecs: codecs}, open), nil
		}}
}

func encoded(t *testing.T) (units [][]byte) {
	t.Helper()
	e, err := standard.Codecs().NewEncoder(format, codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for range 10 {
		p, err := e.Encode(media.NewI420(64, 48), false, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		units = append(units, p.Data)
	}
	return units
}

func TestDriver(t *testing.T) {
	units := encoded(t)
	sourcetest.Run(t, func(*testing.T) source.Source { return openClip(format, units) })
}

// world is the device, with a client over gRPC and one on the bus.
type world struct {
	camera  camerav1.CameraServiceClient
	conn    *bus.Conn
	address bus.Address
}

// start has a camera of H.264.
func start(t *testing.T, codecs codec.Set) *world {
	t.Helper()
	return startKind(t, clipKind(codecs, format, encoded(t)))
}

func startKind(t *testing.T, kind device.Kind[struct{}]) *world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	nats, err := embedded.Start(embedded.Config{})
	must(err)
	t.Cleanup(nats.Close)
	settings := device.Settings{
		Robot: "test", Device: "front", NATS: nats.URL(), GRPC: "127.0.0.1:0", Metrics: "127.0.0.1:0", LogLevel: "info"}
	process, err := device.Start(kind, settings, struct{}{}, logtest.New(t, slog.LevelInfo))
	must(err)
	t.Cleanup(process.Stop)
	conn, err := bus.Connect(bus.Config{URL: nats.URL(), Name: "test"})
	must(err)
	t.Cleanup(conn.Close)
	dialled, err := grpc.NewClient(process.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	t.Cleanup(func() { _ = dialled.Close() })
	w := &world{camera: camerav1.NewCameraServiceClient(dialled), conn: conn.Conn,
		address: bus.Address{Robot: "test", Device: "front"}}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		_, err := w.camera.ListFormats(t.Context(), &camerav1.ListFormatsRequest{})
		if err == nil {
			return w
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// offered lists what ListFormats offers.
func (w *world) offered(t *testing.T) string {
	t.Helper()
	formats, err := w.camera.ListFormats(t.Context(), &camerav1.ListFormatsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range formats.GetOfferedFormats() {
		names = append(names, f.GetMediaType()+f.GetPixelFormat())
	}
	return strings.Join(names, " ")
}

// TestPassThrough has a camera without codecs: it links no C, and everything but encoding works.
func TestPassThrough(t *testing.T) {
	w := start(t, codec.Set{})
	if got := w.offered(t); got != media.H264 {
		t.Errorf("offered: %s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	over, err := w.camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := bus.Subscribe[*mediav1.VideoFrame](w.conn, w.address.Out("video"), stream.DropOldest(100))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	hold := w.conn.Hold(w.address, "video", "test")
	defer hold.Close()
	units := encoded(t)
	for i := range 25 {
		r, err := over.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if f := r.GetFrame(); f.GetKeyFrame() != (i%len(units) == 0) || len(f.GetData()) == 0 {
			t.Errorf("frame %d over gRPC: key %v, %d bytes", i, f.GetKeyFrame(), len(f.GetData()))
		}
	}
	if f, err := sub.Next(ctx); err != nil || !f.GetKeyFrame() {
		t.Errorf("first frame on the bus: key %v, %v", f.GetKeyFrame(), err)
	}
	for name, tt := range map[string]struct {
		call func() error
		want codes.Code
		text string
	}{
		"snapshot": {func() error {
			_, err := w.camera.CaptureFrame(ctx, &camerav1.CaptureFrameRequest{})
			return err
		}, codes.InvalidArgument, `media_type is "image/jpeg", must be that of the source`},
		"smaller": {func() error {
			s, err := w.camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: &mediav1.VideoFormat{WidthPx: 32}})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}, codes.InvalidArgument, "does not encode"},
		"key frame": {func() error {
			_, err := w.camera.RequestKeyFrame(ctx, &camerav1.RequestKeyFrameRequest{})
			return err
		}, codes.FailedPrecondition, "compresses"},
		"no such stream": {func() error {
			_, err := w.camera.RequestKeyFrame(ctx, &camerav1.RequestKeyFrameRequest{Stream: "video-vp8"})
			return err
		}, codes.NotFound, "the camera has video"},
	} {
		if err := tt.call(); status.Code(err) != tt.want || !strings.Contains(fmt.Sprint(err), tt.text) {
			t.Errorf("%s: got %v, want %v with %q", name, err, tt.want, tt.text)
		}
	}
}

// TestJPEGOnTheBus has a camera of JPEG: the stream video-jpeg carries what it sends, byte for byte, however large the
// pictures are, and whether or not the process could encode them itself.
func TestJPEGOnTheBus(t *testing.T) {
	picture := make([]byte, 3<<20) // more than a message of the bus may have; nothing decodes it
	for i := range picture {
		picture[i] = byte(i * i >> 8)
	}
	for name, codecs := range map[string]codec.Set{"no codecs": {}, "codecs": standard.Codecs()} {
		t.Run(name, func(t *testing.T) {
			w := startKind(t, clipKind(codecs, jpegFormat, [][]byte{picture}))
			sub, err := bus.Subscribe[*mediav1.VideoFrame](w.conn, w.address.Out("video-jpeg"), stream.Latest())
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			defer w.conn.Hold(w.address, "video-jpeg", "test").Close()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			last := int64(-1)
			for range 3 {
				f, err := sub.Next(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(f.GetData(), picture) || f.GetFormat().GetMediaType() != media.JPEG || !f.GetKeyFrame() ||
					f.GetSequence() <= last {
					t.Errorf("%d bytes of %v, key %v, number %d after %d", len(f.GetData()), f.GetFormat(), f.GetKeyFrame(),
						f.GetSequence(), last)
				}
				last = f.GetSequence()
			}
		})
	}
}

// TestStandardCodecs has the same driver with codecs: it is a camera like any other.
func TestStandardCodecs(t *testing.T) {
	w := start(t, standard.Codecs())
	snapshot, err := w.camera.CaptureFrame(t.Context(),
		&camerav1.CaptureFrameRequest{Format: &mediav1.VideoFormat{WidthPx: 32}})
	if err != nil {
		t.Fatal(err)
	}
	if f := snapshot.GetFrame(); f.GetFormat().GetWidthPx() != 32 || f.GetFormat().GetMediaType() != media.JPEG {
		t.Errorf("snapshot: %v", f.GetFormat())
	}
	if got, want := len(strings.Fields(w.offered(t))), len(standard.Codecs().Formats()); got != want {
		t.Errorf("%d formats are offered, want %d", got, want)
	}
}

// TestNoC looks for C in what a service needs that only passes pictures through. `make cross` builds it without a C
// compiler.
func TestNoC(t *testing.T) {
	list := func(pkg string) string {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}",
			pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := list("./camera"); got != "" {
		t.Errorf("./camera needs C for %s", got)
	}
	if got := list("./codec/standard"); !strings.Contains(got, "openh264") {
		t.Errorf("./codec/standard needs C for %q; the test looks at the wrong thing", got)
	}
}
