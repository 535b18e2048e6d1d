package peer

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/vpx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const timeout = 30 * time.Second

// world is a device `guest` on a bus, and a client.
type world struct {
	t       *testing.T
	process *device.Process
	conn    *bus.ConnCloser
	address bus.Address
	peers   peerv1.PeerServiceClient // on the bus
	direct  peerv1.PeerServiceClient // over gRPC
	camera  camerav1.CameraServiceClient
	audio   audiov1.AudioServiceClient
}

func start(t *testing.T, c Config) *world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Validate())
	server, err := embedded.Start(embedded.Config{})
	must(err)
	t.Cleanup(server.Close)
	w := &world{t: t, address: bus.Address{Robot: "demo", Device: "guest"}}
	w.process, err = device.Start(Kind(), device.Settings{
		Robot: "demo", Device: "guest", NATS: server.URL(), GRPC: "127.0.0.1:0", Metrics: "127.0.0.1:0", LogLevel: "info",
	}, c, logtest.New(t, slog.LevelInfo))
	must(err)
	t.Cleanup(w.process.Stop)
	w.conn, err = bus.Connect(bus.Config{URL: server.URL()})
	must(err)
	t.Cleanup(w.conn.Close)
	dialled, err := grpc.NewClient(w.process.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(1<<30)))
	must(err)
	t.Cleanup(func() { _ = dialled.Close() })
	w.peers = peerv1.NewPeerServiceClient(w.conn.Client(w.address))
	w.direct = peerv1.NewPeerServiceClient(dialled)
	w.camera, w.audio = camerav1.NewCameraServiceClient(dialled), audiov1.NewAudioServiceClient(dialled)
	w.eventually("the device says that nobody sends", w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, "nobody sends"))
	w.eventually("it can be called by the bus", func() bool {
		_, err := w.peers.GetPublisher(t.Context(), &peerv1.GetPublisherRequest{})
		return err == nil
	})
	return w
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(timeout); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %v: %s; the device is %v", timeout, what, w.process.Kit().Device())
		}
	}
}

func (w *world) is(state devicev1.DeviceState, reason string) func() bool {
	return func() bool {
		d := w.process.Kit().Device()
		return d.GetState() == state && strings.Contains(d.GetStateReason(), reason)
	}
}

func (w *world) ready() func() bool { return w.is(devicev1.DeviceState_DEVICE_STATE_READY, "") }

func (w *world) begin(who *peerv1.Publisher, take bool) (*publisher, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), timeout)
	defer cancel()
	granted, err := w.peers.Begin(ctx, &peerv1.BeginRequest{Publisher: who, Take: take})
	if err != nil {
		return nil, err
	}
	return &publisher{world: w, granted: granted}, nil
}

func (w *world) mustBegin() *publisher {
	w.t.Helper()
	p, err := w.begin(&peerv1.Publisher{Name: "Ann", Program: "OBS 31", Via: "whip", Address: "10.0.0.7:4000"}, false)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// publisher sends frames.
type publisher struct {
	*world
	granted  *peerv1.BeginResponse
	sequence int64
	stop     func()
}

// send sends one frame.
func (p *publisher) send(mediaType string, data []byte, key bool) {
	p.t.Helper()
	f := &mediav1.VideoFrame{
		Epoch: p.granted.GetEpoch(), Sequence: p.sequence, CaptureTime: timestamppb.Now(), KeyFrame: key, Data: data,
		Format: &mediav1.VideoFormat{MediaType: mediaType, WidthPx: width, HeightPx: height},
	}
	p.sequence++
	if err := p.conn.Publish(p.address.In("camera"), f); err != nil {
		p.t.Error(err)
	}
}

// play sends frames over and over, 25 a second, until the end of the test or stop. The first is a key frame.
func (p *publisher) play(mediaType string, frames [][]byte) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	p.stop = func() { cancel(); <-done }
	p.t.Cleanup(p.stop)
	go func() {
		defer close(done)
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i = (i + 1) % len(frames) {
			p.send(mediaType, frames[i], i == 0)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

const width, height = 320, 240

// orange is a picture of one colour.
func orange() *media.I420 {
	img := media.NewI420(width, height)
	fill := func(plane []byte, v byte) {
		for i := range plane {
			plane[i] = v
		}
	}
	fill(img.Y, 150)
	fill(img.U, 60)
	fill(img.V, 190)
	return img
}

// encoded are 20 frames of that picture: a key frame, and others.
func encoded(t *testing.T, mediaType string) (frames [][]byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if mediaType == media.VP8 {
		e, err := vpx.NewEncoder(vpx.Config{Width: width, Height: height})
		must(err)
		defer e.Close()
		for range 20 {
			p, err := e.Encode(orange(), false, 40*time.Millisecond)
			must(err)
			frames = append(frames, p.Data)
		}
		return frames
	}
	e, err := openh264.NewEncoder(openh264.Config{Width: width, Height: height, FrameRate: 25})
	must(err)
	defer e.Close()
	for i := range 20 {
		p, err := e.Encode(orange(), false, time.Duration(i)*40*time.Millisecond)
		must(err)
		frames = append(frames, p.Data)
	}
	return frames
}

// near reports whether a colour is that of the picture.
func near(y, u, v byte) bool {
	off := func(a byte, b int) bool { return max(int(a)-b, b-int(a)) > 12 }
	return !off(y, 150) && !off(u, 60) && !off(v, 190)
}

// rawPicture reads one decoded picture by gRPC.
func (w *world) rawPicture() *mediav1.VideoFrame {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), timeout)
	defer cancel()
	frames, err := w.camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: &mediav1.VideoFormat{
		MediaType: media.Raw, PixelFormat: media.PixelI420}})
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		r, err := frames.Recv()
		if err != nil {
			w.t.Fatal(err)
		}
		if f := r.GetFrame(); f != nil {
			return f
		}
	}
}

func TestAPublisherIsACamera(t *testing.T) {
	for _, mediaType := range []string{media.H264, media.VP8} {
		t.Run(media.Name(mediaType), func(t *testing.T) {
			w := start(t, Defaults())
			p := w.mustBegin()
			frames := encoded(t, mediaType)
			p.play(mediaType, frames)
			w.eventually("ready", w.ready())
			f := w.rawPicture()
			middle := width*height/2 + width/2
			chroma := width*height + (width/2)*(height/4) + width/4
			if len(f.GetData()) != width*height*3/2 ||
				!near(f.GetData()[middle], f.GetData()[chroma], f.GetData()[chroma+width*height/4]) {
				t.Errorf("the picture is %v, %d bytes", f.GetFormat(), len(f.GetData()))
			}
			attributes := w.process.Kit().Device().GetAttributes()
			for key, want := range map[string]string{
				"publisher": "Ann", "program": "OBS 31", "via": "whip", "address": "10.0.0.7:4000", "passes": "yes",
			} {
				if attributes[key] != want {
					t.Errorf("attribute %s is %q, want %q", key, attributes[key], want)
				}
			}
			w.checkPassedThrough(mediaType, frames)
			who, err := w.peers.GetPublisher(t.Context(), &peerv1.GetPublisherRequest{})
			if err != nil || who.GetPublisher().GetName() != "Ann" || who.GetAge() == nil {
				t.Errorf("%v, %v sends", who, err)
			}
		})
	}
}

// checkPassedThrough reads the stream of the publisher's media type on the bus: its frames are untouched.
func (w *world) checkPassedThrough(mediaType string, sent [][]byte) {
	w.t.Helper()
	name := map[string]string{media.H264: "video", media.VP8: "video-vp8"}[mediaType]
	sub, err := bus.Subscribe[*mediav1.VideoFrame](w.conn.Conn, w.address.Out(name), stream.DropOldest(100))
	if err != nil {
		w.t.Fatal(err)
	}
	defer sub.Close()
	hold := w.conn.Hold(w.address, name, "test")
	defer hold.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), timeout)
	defer cancel()
	for i := range 30 {
		f, err := sub.Next(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		same := slices.ContainsFunc(sent, func(s []byte) bool {
			return string(s) == string(f.GetData()) || slices.EqualFunc(slices.Collect(annexb.NALs(s)),
				slices.Collect(annexb.NALs(f.GetData())), slices.Equal)
		})
		if !same || i == 0 && !f.GetKeyFrame() || f.GetEpoch() != w.process.Kit().Epoch() {
			w.t.Fatalf("frame %d: untouched %v, key %v, epoch %d", i, same, f.GetKeyFrame(), f.GetEpoch())
		}
	}
}

func TestTheSlotIsForOne(t *testing.T) {
	w := start(t, Defaults())
	ann := w.mustBegin()
	ann.play(media.H264, encoded(t, media.H264))
	w.eventually("ready", w.ready())
	_, err := w.begin(&peerv1.Publisher{Name: "Bob"}, false)
	if status.Code(err) != codes.AlreadyExists || !strings.Contains(err.Error(), "Ann, OBS 31, whip, 10.0.0.7:4000") {
		t.Errorf("Bob gets %v", err)
	}
	wishes, err := bus.Subscribe[*peerv1.Wish](w.conn.Conn, w.address.Out("wishes"), stream.DropOldest(16))
	if err != nil {
		t.Fatal(err)
	}
	defer wishes.Close()
	hold := w.conn.Hold(w.address, "wishes", "test")
	defer hold.Close()
	w.eventually("the wishes are held", func() bool { return hold.Epoch() != 0 })
	bob, err := w.begin(&peerv1.Publisher{Name: "Bob"}, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for ended := false; !ended; {
		wish, err := wishes.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ended = strings.Contains(wish.GetEnded(), "taken by Bob") &&
			wish.GetPublicationId() == ann.granted.GetPublisher().GetId()
	}
	w.eventually("Ann's picture is gone", w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, ""))
	bob.play(media.VP8, encoded(t, media.VP8))
	w.eventually("Bob's is there", w.ready())
	w.eventually("it is told", func() bool { return w.process.Kit().Device().GetAttributes()["publisher"] == "Bob" })
	if _, err := w.peers.End(t.Context(), &peerv1.EndRequest{Epoch: bob.granted.GetEpoch()}); err != nil {
		t.Error(err)
	}
	if _, err := w.peers.End(t.Context(), &peerv1.EndRequest{
		Epoch: bob.granted.GetEpoch(),
	}); status.Code(err) != codes.NotFound {
		t.Errorf("ended twice: %v", err)
	}
	w.eventually("nobody is told", func() bool {
		return w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, "nobody sends")() &&
			w.process.Kit().Device().GetAttributes()["publisher"] == ""
	})
}

func TestSilenceFreesTheSlot(t *testing.T) {
	w := start(t, Defaults())
	ann := w.mustBegin()
	ann.play(media.H264, encoded(t, media.H264))
	w.eventually("ready", w.ready())
	ann.stop()
	w.eventually("nobody sends any more", w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, "nothing has come for 5s"))
	w.mustBegin()
}

// Readers by gRPC stay, and go on with the next publisher.
func TestReadersStay(t *testing.T) {
	w := start(t, Defaults())
	frames := encoded(t, media.H264)
	ann := w.mustBegin()
	ann.play(media.H264, frames)
	w.eventually("ready", w.ready())
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	reader, err := w.camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: &mediav1.VideoFormat{
		MediaType: media.Raw, PixelFormat: media.PixelI420}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Recv(); err != nil {
		t.Fatal(err)
	}
	bob, err := w.begin(&peerv1.Publisher{Name: "Bob"}, true)
	if err != nil {
		t.Fatal(err)
	}
	ann.stop()
	begun := time.Now()
	bob.play(media.H264, frames)
	for {
		r, err := reader.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r.GetFrame().GetCaptureTime().AsTime().After(begun) {
			break
		}
	}
}

func clip(t *testing.T, name string) [][]byte {
	t.Helper()
	data, err := os.ReadFile("../../../pkg/media/picture/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(annexb.AccessUnits(data))
}

// B-frames are encoded again for viewers, and the remedy is told.
func TestBFrames(t *testing.T) {
	w := start(t, Defaults())
	w.mustBegin().play(media.H264, clip(t, "b-frames.h264"))
	w.eventually("the remedy is told", func() bool {
		passes := w.process.Kit().Device().GetAttributes()["passes"]
		return strings.Contains(passes, "B-frames") && strings.Contains(passes, "the program that sends")
	})
	if f := w.rawPicture(); f.GetFormat().GetWidthPx() != 96 {
		t.Errorf("a picture of %v", f.GetFormat())
	}
}

// What cannot be decoded ends the publication, and the remedy is told.
func TestWhatCannotBeShown(t *testing.T) {
	for name, tt := range map[string]struct {
		mediaType string
		frames    [][]byte
		why       string
	}{
		"interlaced": {media.H264, clip(t, "interlaced.h264"), "interlaced"},
		"10 bits":    {media.H264, clip(t, "10-bits.h264"), "10 bits per sample: set the program that sends to 8 bits"},
		"H.265":      {media.H265, [][]byte{{0, 0, 1, 2}}, "send H.264 or VP8"},
		"nonsense":   {"video/raw", [][]byte{{1}}, "send H.264 or VP8"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, Defaults())
			w.mustBegin().play(tt.mediaType, tt.frames)
			w.eventually("the reason is told", w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, tt.why))
			w.mustBegin() // the slot is free
		})
	}
}

// What comes may be anything.
func TestGarbage(t *testing.T) {
	w := start(t, Defaults())
	p := w.mustBegin()
	for _, data := range [][]byte{nil, {1}, {0, 0, 1}, {0, 0, 1, 0x65}, {0, 0, 1, 0x67, 1, 2, 3}, make([]byte, 100_000)} {
		p.send(media.H264, data, true)
		p.send(media.VP8, data, false)
	}
	sound := &mediav1.AudioFrame{Epoch: p.granted.GetEpoch(), Data: []byte{1}}
	if err := w.conn.Publish(w.address.In("microphone"), sound); err != nil {
		t.Fatal(err)
	}
	w.eventually("it is told that nothing can be shown",
		w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, "nothing that can be shown"))
	p.play(media.H264, encoded(t, media.H264))
	w.eventually("ready", w.ready())
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.MaxBitrate = 99_999 }, "maxBitrate"},
		{func(c *Config) { c.MaxBitrate = 1 << 40 }, "maxBitrate"},
		{func(c *Config) { c.Bitrate = 1 }, "bitrate"},
		{func(c *Config) { c.Rotate = 45 }, "rotate"},
	} {
		c := Defaults()
		tt.change(&c)
		if err := c.Validate(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", c, err, tt.want)
		}
	}
}

func TestPublishersAreChecked(t *testing.T) {
	w := start(t, Defaults())
	for _, who := range []*peerv1.Publisher{
		{Name: strings.Repeat("a", 65)}, {Program: "a\x1b[31m"}, {Address: "\n"}, {Via: "\u202e"},
	} {
		if _, err := w.begin(who, true); status.Code(err) != codes.InvalidArgument ||
			!strings.Contains(err.Error(), "publisher.") {
			t.Errorf("%v: %v", who, err)
		}
	}
	p, err := w.begin(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if p.granted.GetMaxBitrateBps() != 8_000_000 {
		t.Errorf("granted %v", p.granted)
	}
}
