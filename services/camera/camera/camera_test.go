package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/stamp"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/testsource"
	"github.com/waldo-robot/waldo/video/turbojpeg"
)

const patience = time.Minute

func leakFree(m *testing.M) int {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Println(err)
		return 1
	}
	return code
}

// world is a camera process on a real bus and gRPC, with a client of each.
type world struct {
	process *device.Process
	nats    *embedded.Server
	conn    *bus.ConnCloser
	address bus.Address
	camera  camerav1.CameraServiceClient // over gRPC
	onBus   camerav1.CameraServiceClient // over the bus
}

func start(t *testing.T, kind device.Kind[Config], config Config) *world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w := &world{address: bus.Address{Robot: "test", Device: "front"}}
	var err error
	w.nats, err = embedded.Start(embedded.Config{})
	must(err)
	t.Cleanup(w.nats.Close)
	must(config.Validate())
	settings := device.Settings{
		Robot: "test", Device: "front", NATS: w.nats.URL(), GRPC: "127.0.0.1:0", Metrics: "127.0.0.1:0", LogLevel: "info"}
	w.process, err = device.Start(kind, settings, config, logtest.New(t, slog.LevelInfo))
	must(err)
	t.Cleanup(w.process.Stop)
	w.conn, err = bus.Connect(bus.Config{URL: w.nats.URL(), Name: "test"})
	must(err)
	t.Cleanup(w.conn.Close)
	dialled, err := grpc.NewClient(w.process.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	must(err)
	t.Cleanup(func() { _ = dialled.Close() })
	w.camera, w.onBus = camerav1.NewCameraServiceClient(dialled), camerav1.NewCameraServiceClient(w.conn.Client(w.address))
	return w
}

func (w *world) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func (w *world) state(s devicev1.DeviceState) func() bool {
	return func() bool { return w.process.Kit().Device().GetState() == s }
}

const (
	ready = devicev1.DeviceState_DEVICE_STATE_READY
	away  = devicev1.DeviceState_DEVICE_STATE_AWAY
)

// metric reads a value from the process's own /metrics.
func (w *world) metric(t *testing.T, name string) float64 {
	t.Helper()
	response, err := http.Get("http://" + w.process.Kit().Device().GetMetricsAddress() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindSubmatch(text)
	if found == nil {
		return 0 // a label that never occurred
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func small() Config {
	c := Defaults()
	c.Width, c.Height, c.FPS = 320, 240, 60
	return c
}

func (w *world) stream(t *testing.T, f *mediav1.VideoFormat) camerav1.CameraService_StreamFramesClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	s, err := w.camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: f})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func receive(t *testing.T, s camerav1.CameraService_StreamFramesClient) *mediav1.VideoFrame {
	t.Helper()
	r, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return r.GetFrame()
}

func TestBusAndGRPCCarryTheSameStream(t *testing.T) {
	w := start(t, Kind(), small())
	w.await(t, "ready", w.state(ready))
	if n := w.metric(t, "waldo_camera_captured_total"); n != 0 {
		t.Fatalf("captured %v with nobody looking", n)
	}
	sub, err := bus.Subscribe[*mediav1.VideoFrame](w.conn.Conn, w.address.Out("video"), stream.DropOldest(100))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	hold := w.conn.Hold(w.address, "video", "test")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	decoder := openh264.NewDecoder()
	defer decoder.Close()
	onBus := map[int64]*mediav1.VideoFrame{}
	for i := range 10 {
		f, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if f.GetSequence() != int64(i) || f.GetEpoch() != w.process.Kit().Epoch() || i == 0 && !f.GetKeyFrame() {
			t.Fatalf("frame %d on the bus: epoch %d, sequence %d, key %v", i, f.GetEpoch(), f.GetSequence(), f.GetKeyFrame())
		}
		onBus[f.GetSequence()] = f
		if img, err := decoder.Decode(f.GetData()); err != nil || img == nil || img.Width != 320 {
			t.Fatalf("frame %d does not decode: %v", i, err)
		}
	}
	overGRPC := w.stream(t, nil)
	first := receive(t, overGRPC)
	if !first.GetKeyFrame() {
		t.Error("a stream over gRPC began without a key frame")
	}
	for first.GetSequence() > int64(len(onBus)-1) { // read on until the bus has the same frame
		f, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		onBus[f.GetSequence()] = f
	}
	if same := onBus[first.GetSequence()]; string(same.GetData()) != string(first.GetData()) {
		t.Error("the same frame differs on bus and gRPC")
	}
	encoded := w.metric(t, `waldo_camera_encoded_total{media_type="video/H264"}`)
	captured := w.metric(t, "waldo_camera_captured_total") // read later, so never less
	if encoded == 0 || encoded > captured {
		t.Errorf("%v encodes of %v captures for two readers", encoded, captured)
	}
	hold.Close()
	_ = overGRPC.CloseSend()
	cancel()
}

// TestStreamsAreEncodedOnceEach has viewers of H.264 and of VP8, two of each: there are two encodes a picture, and
// without a hold of video-vp8 only one.
func TestStreamsAreEncodedOnceEach(t *testing.T) {
	w := start(t, Kind(), small())
	w.await(t, "ready", w.state(ready))
	var streams []string
	for _, s := range w.process.Kit().Device().GetStreams() {
		streams = append(streams, fmt.Sprintf("%s %v %s %v", s.GetName(), s.GetMediaTypes(), s.GetAlternativeTo(),
			s.GetKeyFrameOnRequest()))
	}
	if want := []string{"video [video/H264]  true", "video-vp8 [video/VP8] video true",
		"video-jpeg [image/jpeg] video true", "video-small [video/H264] video true",
		"video-vp8-small [video/VP8] video true"}; !slices.Equal(streams, want) {
		t.Errorf("streams: %q", streams)
	}
	const frames = 20
	encoded := func(mediaType string) float64 {
		return w.metric(t, `waldo_camera_encoded_total{media_type="`+mediaType+`"}`)
	}
	read := func(name string) (next func() *mediav1.VideoFrame, hold *bus.Hold) {
		sub, err := bus.Subscribe[*mediav1.VideoFrame](w.conn.Conn, w.address.Out(name), stream.DropOldest(1000))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Close)
		hold = w.conn.Hold(w.address, name, "test")
		return func() *mediav1.VideoFrame {
			f, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return f
		}, hold
	}
	h264, holdH264 := read("video")
	defer holdH264.Close()
	for range frames {
		h264()
	}
	if n := encoded(media.VP8); n != 0 {
		t.Fatalf("%v pictures of VP8 were encoded for nobody", n)
	}
	vp8, holdVP8 := read("video-vp8")
	over := w.stream(t, &mediav1.VideoFormat{MediaType: media.VP8})
	first := vp8()
	if !first.GetKeyFrame() || first.GetFormat().GetMediaType() != media.VP8 || first.GetSequence() != 0 {
		t.Errorf("first frame of VP8: key %v, %v, sequence %d", first.GetKeyFrame(), first.GetFormat(), first.GetSequence())
	}
	last := receive(t, over)
	if !last.GetKeyFrame() {
		t.Error("a stream over gRPC began without a key frame")
	}
	for last.GetSequence() < frames {
		f := receive(t, over)
		if f.GetSequence() != last.GetSequence()+1 {
			t.Fatalf("sequence %d after %d", f.GetSequence(), last.GetSequence())
		}
		last = f
	}
	if _, err := w.camera.RequestKeyFrame(t.Context(), &camerav1.RequestKeyFrameRequest{Stream: "video-vp8"}); err != nil {
		t.Error(err)
	}
	for last = receive(t, over); !last.GetKeyFrame(); last = receive(t, over) {
		if last.GetSequence() > 100*frames {
			t.Fatal("the key frame that was asked for does not come")
		}
	}
	_ = over.CloseSend()
	holdVP8.Close()
	w.await(t, "one reader", func() bool { return w.metric(t, "waldo_camera_readers") == 2 })
	for range 2 {
		h264()
	}
	a, b := encoded(media.H264), encoded(media.VP8)
	captured := w.metric(t, "waldo_camera_captured_total") // read later, so never less
	if a > captured || b > captured || b < frames {
		t.Errorf("of %v captures %v were encoded as H.264 and %v as VP8", captured, a, b)
	}
	if n := encoded(media.JPEG); n != 0 {
		t.Fatalf("%v pictures were encoded as JPEG for nobody", n)
	}
	one, _ := read("video-jpeg")
	two, _ := read("video-jpeg")
	one()
	two()
	captured, jpegs := w.metric(t, "waldo_camera_captured_total"), encoded(media.JPEG)
	for range frames {
		one()
		if f := two(); !bytes.HasPrefix(f.GetData(), []byte("\xff\xd8\xff")) {
			t.Fatalf("no JPEG: % x", f.GetData()[:min(4, len(f.GetData()))])
		}
	}
	jpegs = encoded(media.JPEG) - jpegs
	captured = w.metric(t, "waldo_camera_captured_total") - captured
	if jpegs == 0 || jpegs > captured+2 { // those under way when the metrics were read
		t.Errorf("%v pictures were encoded as JPEG for two holders, of %v captures", jpegs, captured)
	}
}

func TestCaptureStopsWithTheLastHold(t *testing.T) {
	w := start(t, Kind(), small())
	w.await(t, "ready", w.state(ready))
	for range 2 {
		hold := w.conn.Hold(w.address, "video", "test")
		before := w.metric(t, "waldo_camera_captured_total")
		w.await(t, "capture", func() bool { return w.metric(t, "waldo_camera_captured_total") > before })
		hold.Close()
		w.await(t, "no reader", func() bool { return w.metric(t, "waldo_camera_readers") == 0 })
		w.await(t, "the capture stops", func() bool {
			captured := w.metric(t, "waldo_camera_captured_total")
			time.Sleep(200 * time.Millisecond) // twelve pictures' time
			return w.metric(t, "waldo_camera_captured_total") == captured
		})
	}
}

func TestUnaryCallsOverGRPCAndBus(t *testing.T) {
	w := start(t, Kind(), small())
	w.await(t, "ready", w.state(ready))
	w.await(t, "on the bus", func() bool {
		_, err := w.onBus.ListFormats(t.Context(), &camerav1.ListFormatsRequest{})
		return err == nil
	})
	for name, c := range map[string]camerav1.CameraServiceClient{"gRPC": w.camera, "bus": w.onBus} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			formats, err := c.ListFormats(ctx, &camerav1.ListFormatsRequest{})
			if err != nil || formats.GetCurrentFormat().GetWidthPx() != 320 || len(formats.GetNativeFormats()) != 1 ||
				len(formats.GetOfferedFormats()) != 7 {
				t.Errorf("ListFormats: %v %v", formats, err)
			}
			before := time.Now()
			got, err := c.CaptureFrame(ctx, &camerav1.CaptureFrameRequest{})
			if err != nil {
				t.Fatal(err)
			}
			img, err := turbojpeg.Decode(got.GetFrame().GetData())
			if err != nil || img.Width != 320 || got.GetFrame().GetCaptureTime().AsTime().Before(before) {
				t.Errorf("CaptureFrame: %v, captured %v", err, got.GetFrame().GetCaptureTime().AsTime())
			} else if s, ok := stamp.Read(img); !ok || !s.Time(before).After(before.Add(-time.Millisecond)) {
				t.Errorf("stamp %+v %v", s, ok)
			}
			if _, err := c.RequestKeyFrame(ctx, &camerav1.RequestKeyFrameRequest{}); err != nil {
				t.Error(err)
			}
			if b, err := c.SetBitrate(ctx, &camerav1.SetBitrateRequest{BitrateBps: 300_000}); err != nil ||
				b.GetBitrateBps() != 300_000 {
				t.Errorf("SetBitrate: %v %v", b, err)
			}
			if controls, err := c.GetControls(ctx, &camerav1.GetControlsRequest{}); err != nil ||
				len(controls.GetControls()) != 0 {
				t.Errorf("GetControls: %v %v", controls, err)
			}
		})
	}
}

func TestErrorCodes(t *testing.T) {
	w := start(t, Kind(), small())
	w.await(t, "ready", w.state(ready))
	ctx := t.Context()
	capture := func(f *mediav1.VideoFormat) error {
		_, err := w.camera.CaptureFrame(ctx, &camerav1.CaptureFrameRequest{Format: f})
		return err
	}
	setBitrate := func(bps int64) error {
		_, err := w.camera.SetBitrate(ctx, &camerav1.SetBitrateRequest{BitrateBps: bps})
		return err
	}
	_, noControl := w.camera.SetControls(ctx, &camerav1.SetControlsRequest{Values: map[string]int64{"gain": 1}})
	_, streamed := w.stream(t, &mediav1.VideoFormat{MediaType: "video/x"}).Recv()
	for name, tt := range map[string]struct {
		err  error
		want codes.Code
	}{
		"H.264 picture":     {capture(&mediav1.VideoFormat{MediaType: media.H264}), codes.InvalidArgument},
		"raw, no pixels":    {capture(&mediav1.VideoFormat{MediaType: media.Raw}), codes.InvalidArgument},
		"impossible size":   {capture(&mediav1.VideoFormat{WidthPx: 1}), codes.InvalidArgument},
		"unknown stream":    {streamed, codes.InvalidArgument},
		"bit rate too low":  {setBitrate(49_999), codes.OutOfRange},
		"bit rate too high": {setBitrate(50_000_001), codes.OutOfRange},
		"unknown control":   {noControl, codes.NotFound},
	} {
		if status.Code(tt.err) != tt.want {
			t.Errorf("%s: got %v, want %v", name, tt.err, tt.want)
		}
	}
}

// shy is a camera that the test plugs and unplugs.
type shy struct {
	mu      sync.Mutex
	present bool
	open    []source.Source
}

func (s *shy) plug(in bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present = in
	for _, src := range s.open {
		_ = src.Close() // ends the capture under way
	}
	s.open = nil
}

// unplugged is a test source that can be told, while idle, that it is gone.
func (s *shy) openSource(context.Context) (source.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.present {
		return nil, fmt.Errorf("/dev/video7: %w: the device does not exist", device.ErrAway)
	}
	src, err := testsource.Open(testsource.Config{Width: 320, Height: 240, FrameRate: 60})
	s.open = append(s.open, src)
	return src, err
}

func TestUnplugAndReplug(t *testing.T) {
	hardware := &shy{}
	kind := Kind()
	kind.New = func(kit *device.Kit, c Config) (device.Driver, error) {
		return newDriverOf(kit, c, hardware.openSource), nil
	}
	w := start(t, kind, small())
	w.await(t, "away", w.state(away))
	if _, err := w.camera.ListFormats(t.Context(),
		&camerav1.ListFormatsRequest{}); status.Code(err) != codes.Unavailable ||
		!regexp.MustCompile("/dev/video7").MatchString(fmt.Sprint(err)) {
		t.Errorf("ListFormats while away: %v", err)
	}
	if _, err := w.stream(t, nil).Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("StreamFrames while away: %v", err)
	}
	hardware.plug(true)
	w.await(t, "ready", w.state(ready))
	s := w.stream(t, nil)
	last := receive(t, s).GetSequence()
	for range 2 {
		hardware.plug(false)
		w.await(t, "away", w.state(away))
		if _, err := w.camera.SetBitrate(t.Context(),
			&camerav1.SetBitrateRequest{BitrateBps: 100_000}); status.Code(err) != codes.Unavailable {
			t.Errorf("SetBitrate while away: %v", err)
		}
		hardware.plug(true)
		for returned := false; !returned; {
			f := receive(t, s) // the same call goes on
			if f.GetSequence() != last+1 {
				t.Fatalf("sequence %d after %d", f.GetSequence(), last)
			}
			last = f.GetSequence()
			returned = w.state(ready)()
		}
	}
}

func TestStopEndsStreams(t *testing.T) {
	w := start(t, Kind(), small())
	w.await(t, "ready", w.state(ready))
	s := w.stream(t, nil)
	receive(t, s)
	begun := time.Now()
	w.process.Stop()
	for {
		_, err := s.Recv()
		if err == nil {
			continue
		}
		if status.Code(err) != codes.Unavailable {
			t.Errorf("the stream ended with %v", err)
		}
		break
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if _, err := s.Recv(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("and then %v", err)
	}
}
