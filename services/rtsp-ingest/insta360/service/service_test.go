package service

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	insta360v1 "github.com/waldo-robot/waldo/api/gen/go/waldo/insta360/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what should come at once on an idle machine.
const patience = time.Minute

// driver receives from a camera.
type driver struct {
	camera *insta360.Camera
	start  func()
	opened func() // called after Open
}

func (d *driver) Run(ctx context.Context, ready func()) error {
	d.start()
	conn, err := d.camera.Open(ctx)
	if err != nil {
		return err
	}
	ready()
	d.opened()
	return conn.Run(ctx, feed.Receiver{})
}

// world is a device with a fake camera, with a client over gRPC and one over the bus.
type world struct {
	fake   *fakecam.Insta360
	opened chan struct{} // closed when the camera has been opened
	bus    *bus.ConnCloser
	direct insta360v1.Insta360ServiceClient
	onBus  insta360v1.Insta360ServiceClient
}

var where = bus.Address{Robot: "test", Device: "ball"}

func start(t *testing.T, config fakecam.Insta360Config) *world {
	t.Helper()
	w := &world{fake: fakecam.NewInsta360Pipe(config), opened: make(chan struct{})}
	opened := sync.OnceFunc(func() { close(w.opened) })
	t.Cleanup(w.fake.Close)
	nats, err := embedded.Start(embedded.Config{})
	must(t, err)
	t.Cleanup(nats.Close)
	create := func(kit *device.Kit, _ struct{}) (device.Driver, error) {
		camera := insta360.New(insta360.Config{Dial: w.fake.Dial, Log: kit.Log})
		return &driver{camera, Attach(kit, camera), opened}, nil
	}
	kind := device.Kind[struct{}]{Name: "insta360", Version: "1.0.0", New: create}
	settings := device.Settings{Robot: where.Robot, Device: where.Device, NATS: nats.URL()}
	p, err := device.Start(kind, settings, struct{}{}, logtest.New(t, slog.LevelInfo))
	must(t, err)
	t.Cleanup(p.Stop)
	w.bus, err = bus.Connect(bus.Config{URL: nats.URL(), Name: "test"})
	must(t, err)
	t.Cleanup(w.bus.Close)
	dialled, err := grpc.NewClient(p.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = dialled.Close() })
	w.direct, w.onBus = insta360v1.NewInsta360ServiceClient(dialled),
		insta360v1.NewInsta360ServiceClient(w.bus.Client(where))
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// playing waits until the camera sends its preview.
func (w *world) playing(t *testing.T) {
	t.Helper()
	select {
	case <-w.opened:
	case <-time.After(patience):
		t.Fatal("the camera has not been opened")
	}
}

func TestCalls(t *testing.T) {
	w := start(t, fakecam.Insta360Config{
		Files: []string{"/DCIM/a.insv", "/DCIM/b.insp"},
		Info: wire.Options{
			Serial: "IXSE42", UUID: "u", CameraType: "Insta360 X4", Firmware: "v1.2", TimeZone: 3600, LocalTime: 1795939200,
			Battery: &wire.Battery{Type: 1, Level: 80, Scale: 100}, Storage: &wire.Storage{State: 4, Free: 1, Total: 2},
		},
	})
	w.playing(t)
	for name, c := range map[string]insta360v1.Insta360ServiceClient{"gRPC": w.direct, "bus": w.onBus} {
		t.Run(name, func(t *testing.T) {
			info, err := c.GetCameraInfo(t.Context(), &insta360v1.GetCameraInfoRequest{})
			must(t, err)
			i := info.GetInfo()
			if i.GetSerialNumber() != "IXSE42" || i.GetUuid() != "u" || i.GetCameraType() != "Insta360 X4" ||
				i.GetFirmwareVersion() != "v1.2" || i.GetUtcOffset().AsDuration() != time.Hour ||
				i.GetLocalTime().GetSeconds() != 1795939200 || i.GetBattery().GetLevel() != 80 ||
				i.GetBattery().GetSource() != insta360v1.PowerSource_POWER_SOURCE_ADAPTER ||
				i.GetStorage().GetState() != insta360v1.CardState_CARD_STATE_WRITE_PROTECTED ||
				i.GetStorage().GetTotalBytes() != 2 {
				t.Errorf("got %v", i)
			}
			files, err := c.ListFiles(t.Context(), &insta360v1.ListFilesRequest{Start: 1})
			if err != nil || files.GetTotalCount() != 2 || len(files.GetFiles()) != 1 ||
				files.GetFiles()[0].GetUri() != "/DCIM/b.insp" {
				t.Errorf("got %v, %v", files, err)
			}
			_, first := c.TakePicture(t.Context(), &insta360v1.TakePictureRequest{})
			_, second := c.StartCapture(t.Context(), &insta360v1.StartCaptureRequest{})
			must(t, errors.Join(first, second))
			capture, err := c.GetCaptureStatus(t.Context(), &insta360v1.GetCaptureStatusRequest{})
			if err != nil || !capture.GetStatus().GetCapturing() ||
				capture.GetStatus().GetCaptureDuration().AsDuration() != 12*time.Second {
				t.Errorf("got %v, %v", capture, err)
			}
			stopped, err := c.StopCapture(t.Context(), &insta360v1.StopCaptureRequest{})
			if err != nil || stopped.GetFile().GetSizeBytes() != 5<<30 ||
				stopped.GetFile().GetDuration().AsDuration() != 61*time.Second {
				t.Errorf("got %v, %v", stopped, err)
			}
		})
	}
}

func TestSyncTime(t *testing.T) {
	w := start(t, fakecam.Insta360Config{})
	w.playing(t)
	_, err := w.direct.SyncTime(t.Context(), &insta360v1.SyncTimeRequest{
		Time: &timestamppb.Timestamp{Seconds: 1795939200}, UtcOffset: durationpb.New(-time.Hour),
	})
	must(t, err)
	commands := w.fake.Commands()
	_, set, err := wire.ParseOptions(commands[len(commands)-1].Data)
	if err != nil || set.LocalTime != 1795939200 || set.TimeZone != -3600 {
		t.Errorf("the camera was told %+v, %v", set, err)
	}
	_, err = w.direct.SyncTime(t.Context(), &insta360v1.SyncTimeRequest{})
	must(t, err)
	commands = w.fake.Commands()
	_, set, _ = wire.ParseOptions(commands[len(commands)-1].Data)
	if late := time.Since(time.Unix(set.LocalTime, 0)); late < 0 || late > patience {
		t.Errorf("without a time the camera was told %v", time.Unix(set.LocalTime, 0))
	}
}

func TestArguments(t *testing.T) {
	w := start(t, fakecam.Insta360Config{})
	for field, call := range map[string]func() error{
		"time": func() error {
			_, err := w.direct.SyncTime(t.Context(), &insta360v1.SyncTimeRequest{Time: &timestamppb.Timestamp{Seconds: -5}})
			return err
		},
		"utc_offset": func() error {
			_, err := w.direct.SyncTime(t.Context(), &insta360v1.SyncTimeRequest{UtcOffset: durationpb.New(15 * time.Hour)})
			return err
		},
		"start": func() error {
			_, err := w.direct.ListFiles(t.Context(), &insta360v1.ListFilesRequest{Start: -1})
			return err
		},
		"limit": func() error {
			_, err := w.direct.ListFiles(t.Context(), &insta360v1.ListFilesRequest{Limit: 1001})
			return err
		},
	} {
		if err := call(); status.Code(err) != codes.InvalidArgument ||
			!strings.HasPrefix(status.Convert(err).Message(), field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestStreams(t *testing.T) {
	w := start(t, fakecam.Insta360Config{Gyro: 56})
	w.playing(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	events, err := w.direct.WatchEvents(ctx, &insta360v1.WatchEventsRequest{})
	must(t, err)
	samples, err := w.direct.StreamImu(ctx, &insta360v1.StreamImuRequest{})
	must(t, err)
	got, err := samples.Recv()
	if err != nil || len(got.GetBatch().GetSamples()) != 1 || got.GetBatch().GetSamples()[0].GetRotationX() != 0.1 ||
		got.GetBatch().GetSamples()[0].GetCameraTimeMs() < 5000 {
		t.Errorf("got %v, %v", got, err)
	}
	onBus := w.subscribe(t)
	for name, next := range map[string]func() (*insta360v1.CameraEvent, error){
		"gRPC": func() (*insta360v1.CameraEvent, error) { r, err := events.Recv(); return r.GetEvent(), err },
		"bus":  func() (*insta360v1.CameraEvent, error) { return onBus.Next(ctx) },
	} {
		e, err := w.battery(t, next)
		if err != nil || e.GetBattery().GetLevel() != 4 || e.GetEpoch() <= 0 || e.GetEventTime() == nil {
			t.Errorf("%s: got %v, %v", name, e, err)
		}
	}
}

// battery has the camera tell of its battery until a reader, which may not be known to it yet, has heard of that.
func (w *world) battery(
	t *testing.T, next func() (*insta360v1.CameraEvent, error),
) (e *insta360v1.CameraEvent, err error) {
	t.Helper()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for err == nil && e.GetKind() != insta360v1.CameraEventKind_CAMERA_EVENT_KIND_BATTERY_LOW {
			e, err = next()
		}
	}()
	low := wire.Packet{Kind: wire.Message, Code: wire.BatteryLow, Data: wire.Battery{Level: 4, Scale: 100}.Marshal()}
	for {
		w.fake.Send(low)
		select {
		case <-heard:
			return e, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// subscribe holds the stream of events on the bus and reads it.
func (w *world) subscribe(t *testing.T) *bus.Subscription[*insta360v1.CameraEvent] {
	t.Helper()
	from, err := bus.Subscribe[*insta360v1.CameraEvent](w.bus.Conn, where.Out(EventStream), stream.DropOldest(100))
	must(t, err)
	hold := w.bus.Hold(where, EventStream, "test")
	t.Cleanup(func() { hold.Close(); from.Close() })
	return from
}

// Every kind of event has a kind of its own in the API, and its detail.
func TestEvents(t *testing.T) {
	seen := map[insta360v1.CameraEventKind]bool{}
	for kind := insta360.Connected; kind <= insta360.Other; kind++ {
		failed := &insta360.CommandError{Command: wire.TakePicture, Status: 500, Code: 3, Message: "no card"}
		m := eventMessage(insta360.Event{Kind: kind, Time: time.Now(), Err: failed, Code: 9000,
			MediaType: "video/H264"}, 1, 2)
		if m.GetKind() == 0 || seen[m.GetKind()] {
			t.Errorf("kind %d became %v", kind, m.GetKind())
		}
		seen[m.GetKind()] = true
		if (kinds[kind].detail != nil) != (m.GetDetail() != nil) {
			t.Errorf("%v has the detail %v", m.GetKind(), m.GetDetail())
		}
		if kind == insta360.CommandFailed && (m.GetError().GetCommand() != "TAKE_PICTURE" ||
			m.GetError().GetStatus() != 500) {
			t.Errorf("the error is %v", m.GetError())
		}
	}
	if len(seen) != len(insta360v1.CameraEventKind_name)-1 {
		t.Errorf("%d kinds of %d", len(seen), len(insta360v1.CameraEventKind_name)-1)
	}
}

func TestStatus(t *testing.T) {
	for want, err := range map[codes.Code]error{
		codes.FailedPrecondition: &insta360.CommandError{Status: wire.Failed},
		codes.Unimplemented:      &insta360.CommandError{Status: wire.NotImplemented},
		codes.ResourceExhausted:  insta360.ErrTooMany,
		codes.Unavailable:        feed.Failf(feed.Away, "", "gone"),
		codes.DeadlineExceeded:   errors.Join(&insta360.CommandError{}, context.DeadlineExceeded),
		codes.Internal:           wire.ErrMessage,
	} {
		if got := status.Code(statusOf(err)); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
	if got := status.Code(statusOf(&insta360.CommandError{Status: 404})); got != codes.FailedPrecondition {
		t.Errorf("a status that is not known is %v", got)
	}
}
