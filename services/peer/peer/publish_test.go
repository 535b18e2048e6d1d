package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// program is a call of Publish.
type program struct {
	*world
	call   grpc.BidiStreamingClient[peerv1.PublishRequest, peerv1.PublishResponse]
	cancel context.CancelFunc
	epoch  int64 // of the publication, as begun sets it
}

// publish calls Publish and asks for the slot.
func (w *world) publish(name string, take bool) *program {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 4*timeout) // a test waits for several things, each up to timeout
	w.t.Cleanup(cancel)
	call, err := w.direct.Publish(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	p := &program{world: w, call: call, cancel: cancel}
	p.send(&peerv1.PublishRequest{Step: &peerv1.PublishRequest_Begin{Begin: &peerv1.BeginRequest{
		Publisher: &peerv1.Publisher{Name: name, Program: "test 1", Via: "whip", Address: "made-up:1"}, Take: take}}})
	return p
}

// send sends a step; a call that has ended is for answer to find.
func (p *program) send(r *peerv1.PublishRequest) {
	p.t.Helper()
	if err := p.call.Send(r); err != nil && !errors.Is(err, io.EOF) {
		p.t.Error(err)
	}
}

func (p *program) video(f *mediav1.VideoFrame) {
	p.t.Helper()
	p.send(&peerv1.PublishRequest{Step: &peerv1.PublishRequest_Video{Video: f}})
}

// answer returns the next answer.
func (p *program) answer() *peerv1.PublishResponse {
	p.t.Helper()
	r, err := p.call.Recv()
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// begun waits for the slot, and returns itself.
func (p *program) begun() *program {
	p.t.Helper()
	r := p.answer()
	if r.GetBegun().GetPublisher().GetId() == 0 {
		p.t.Fatalf("the first answer is %v", r)
	}
	p.epoch = r.GetBegun().GetEpoch()
	return p
}

// until reads answers until one is as wished.
func (p *program) until(what string, ok func(*peerv1.PublishResponse) bool) {
	p.t.Helper()
	for r := p.answer(); !ok(r); r = p.answer() {
		if r == nil {
			p.t.Fatalf("no answer: %s", what)
		}
	}
}

func (p *program) wanted(want bool) {
	p.t.Helper()
	p.until(fmt.Sprint("wanted: ", want), func(r *peerv1.PublishResponse) bool {
		return r.GetDemand() != nil && r.GetDemand().GetWanted() == want
	})
}

// end returns how the call ends.
func (p *program) end() error {
	p.t.Helper()
	for {
		if _, err := p.call.Recv(); err != nil {
			return err
		}
	}
}

// rawFrame is a picture of orange in a pixel format.
func rawFrame(pixels string, w, h int32) *mediav1.VideoFrame {
	format := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: pixels, WidthPx: w, HeightPx: h}
	f := &mediav1.VideoFrame{Format: format}
	f.Data = make([]byte, media.FrameSize(f.Format))
	n := int(w * h)
	for i := range f.Data {
		switch {
		case pixels == media.PixelBGR24:
			f.Data[i] = []byte{11, 129, 242}[i%3]
		case pixels == media.PixelYUYV:
			f.Data[i] = []byte{150, 60, 150, 190}[i%4]
		case i < n:
			f.Data[i] = 150
		case pixels == media.PixelNV12:
			f.Data[i] = []byte{60, 190}[(i-n)%2]
		case i < n+(len(f.Data)-n)/2:
			f.Data[i] = 60
		default:
			f.Data[i] = 190
		}
	}
	return f
}

func jpegFrame(t *testing.T, w, h int) *mediav1.VideoFrame {
	t.Helper()
	img := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	orange := color.YCbCr{Y: 150, Cb: 60, Cr: 190}
	for i := range img.Y {
		img.Y[i] = orange.Y
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = orange.Cb, orange.Cr
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return &mediav1.VideoFrame{Format: &mediav1.VideoFormat{MediaType: media.JPEG}, Data: b.Bytes()}
}

// play sends a picture over and over, until the end of the test or stop.
func (p *program) play(f *mediav1.VideoFrame) (stop func()) {
	return p.repeat(func(int) *mediav1.VideoFrame { return f })
}

// repeat sends frames, 50 a second, until the end of the test or stop.
func (p *program) repeat(frame func(i int) *mediav1.VideoFrame) (stop func()) {
	done, ctx := make(chan struct{}), p.call.Context()
	ctx, cancel := context.WithCancel(ctx)
	stop = func() { cancel(); <-done }
	p.t.Cleanup(stop)
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			p.video(frame(i))
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return stop
}

func (w *world) checkOrange(f *mediav1.VideoFrame, width, height int) {
	w.t.Helper()
	middle, chroma := width*(height/2)+width/2, width*height+(width/2)*(height/4)+width/4
	if len(f.GetData()) != width*height*3/2 {
		w.t.Errorf("the picture is %v, %d bytes", f.GetFormat(), len(f.GetData()))
		return
	}
	if y, u, v := f.GetData()[middle], f.GetData()[chroma], f.GetData()[chroma+width*height/4]; !near(y, u, v) {
		w.t.Errorf("the colour is %d, %d, %d", y, u, v)
	}
}

// Pictures of any kind that a program sends are those of a camera: as they are, and encoded.
func TestAProgramIsACamera(t *testing.T) {
	frames := map[string]*mediav1.VideoFrame{"JPEG": jpegFrame(t, width, height)}
	for _, pixels := range []string{media.PixelI420, media.PixelYUYV, media.PixelNV12, media.PixelBGR24} {
		frames[pixels] = rawFrame(pixels, width, height)
	}
	for name, frame := range frames {
		t.Run(name, func(t *testing.T) {
			w := start(t, Defaults())
			p := w.publish("lamp", false).begun()
			frame.Metadata = map[string]string{"exposure": "3"}
			frame.CaptureTime = timestamppb.New(time.Now().Add(-time.Second))
			p.play(frame)
			w.eventually("ready", w.ready())
			got := w.rawPicture()
			w.checkOrange(got, width, height)
			if got.GetMetadata()["exposure"] != "3" || !got.GetCaptureTime().AsTime().Equal(frame.GetCaptureTime().AsTime()) {
				t.Errorf("captured at %v, %v", got.GetCaptureTime().AsTime(), got.GetMetadata())
			}
			if first := w.first(&mediav1.VideoFormat{MediaType: media.H264}); !first.GetKeyFrame() {
				t.Errorf("H.264 begins with %v", first.GetFormat())
			}
			if name == "JPEG" {
				if same := w.first(&mediav1.VideoFormat{MediaType: media.JPEG}); !bytes.Equal(same.GetData(), frame.GetData()) {
					t.Error("the JPEG is not passed through")
				}
			}
			attributes := w.process.Kit().Device().GetAttributes()
			if attributes["publisher"] != "lamp" || attributes["via"] != "grpc" ||
				!strings.HasPrefix(attributes["address"], "127.0.0.1:") {
				t.Errorf("attributes %v", attributes)
			}
		})
	}
}

// first reads one frame of a format by gRPC.
func (w *world) first(f *mediav1.VideoFormat) *mediav1.VideoFrame {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), timeout)
	defer cancel()
	frames, err := w.camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: f})
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		r, err := frames.Recv()
		if err != nil {
			w.t.Fatal(err)
		}
		if r.GetFrame() != nil {
			return r.GetFrame()
		}
	}
}

// A frame may change its size, its layout and its type; readers stay.
func TestFramesChange(t *testing.T) {
	w := start(t, Defaults())
	p := w.publish("lamp", false).begun()
	stop := p.play(rawFrame(media.PixelBGR24, width, height))
	w.eventually("ready", w.ready())
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	reader, err := w.camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: &mediav1.VideoFormat{
		MediaType: media.Raw, PixelFormat: media.PixelI420}})
	if err != nil {
		t.Fatal(err)
	}
	await := func(wide int32) {
		t.Helper()
		for {
			r, err := reader.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if f := r.GetFrame(); f.GetFormat().GetWidthPx() == wide {
				w.checkOrange(f, int(wide), len(f.GetData())*2/3/int(wide))
				return
			}
		}
	}
	await(width)
	stop()
	stop = p.play(rawFrame(media.PixelBGR24, 160, 120))
	await(160)
	w.eventually("the new size is told", func() bool {
		return w.process.Kit().Device().GetAttributes()["width_px"] == "160"
	})
	stop()
	stop = p.play(rawFrame(media.PixelNV12, 200, 120))
	await(200)
	stop()
	stop = p.play(jpegFrame(t, 240, 120))
	await(240)
	stop()
	frames := encoded(t, media.H264)
	for i, data := range frames {
		p.video(&mediav1.VideoFrame{Sequence: int64(i), KeyFrame: i == 0, Data: data, CaptureTime: timestamppb.Now(),
			Format: &mediav1.VideoFormat{MediaType: media.H264}})
	}
	await(width)
	stop = p.play(rawFrame(media.PixelI420, 120, 160))
	await(120)
	stop()
}

type badStep struct {
	step *peerv1.PublishRequest
	want string
}

func (w *world) badSteps(steps map[string]badStep) {
	for name, tt := range steps {
		w.t.Run(name, func(*testing.T) {
			p := w.publish("lamp", false).begun()
			p.send(tt.step)
			if err := p.end(); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), tt.want) {
				w.t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
		})
	}
}

func frameStep(f *mediav1.VideoFrame) *peerv1.PublishRequest {
	return &peerv1.PublishRequest{Step: &peerv1.PublishRequest_Video{Video: f}}
}

func soundStep(f *mediav1.AudioFrame) *peerv1.PublishRequest {
	return &peerv1.PublishRequest{Step: &peerv1.PublishRequest_Audio{Audio: f}}
}

func samples(rate int32) *mediav1.AudioFormat {
	return &mediav1.AudioFormat{MediaType: pcm.Raw, SampleFormat: pcm.S16LE, SampleRateHz: rate, Channels: 1}
}

func TestProgramsShareASlot(t *testing.T) {
	w := start(t, Defaults())
	ann := w.publish("Ann", false).begun()
	bob := w.publish("Bob", false)
	if err := bob.end(); status.Code(err) != codes.AlreadyExists || !strings.Contains(err.Error(), "Ann, test 1, grpc") {
		t.Errorf("Bob gets %v", err)
	}
	bob = w.publish("Bob", true).begun()
	ann.until("Ann is told",
		func(r *peerv1.PublishResponse) bool { return strings.Contains(r.GetWish().GetEnded(), "taken by Bob") })
	if err := ann.end(); status.Code(err) != codes.Aborted || !strings.Contains(err.Error(), "taken by Bob") {
		t.Errorf("Ann's call ends with %v", err)
	}
	// The end of a call frees the slot at once, however it ends.
	bob.cancel()
	w.eventually("Bob's is free", w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, "the program has gone"))
	eve := w.publish("Eve", false).begun()
	eve.send(&peerv1.PublishRequest{Step: &peerv1.PublishRequest_End{End: &peerv1.End{Reason: "ValueError: no\nlight"}}})
	if err := eve.end(); !errors.Is(err, io.EOF) {
		t.Errorf("Eve's call ends with %v", err)
	}
	w.eventually("the reason is told",
		w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, `the program says: ValueError: no\u000alight`))
	fay := w.publish("Fay", false).begun()
	if err := fay.call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := fay.end(); !errors.Is(err, io.EOF) {
		t.Errorf("Fay's call ends with %v", err)
	}
	call, err := w.direct.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	(&program{world: w, call: call}).video(rawFrame(media.PixelI420, 4, 4))
	if _, err := call.Recv(); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "begin") {
		t.Errorf("without begin: %v", err)
	}
	if err := w.publish("a\x1b[31m", false).end(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a name that is none: %v", err)
	}
}

// A program is told whether anybody reads, so that it can save its work; a sign of life keeps the slot.
func TestDemand(t *testing.T) {
	w := start(t, Defaults())
	p := w.publish("lamp", false).begun()
	p.wanted(true) // until the first picture
	p.video(rawFrame(media.PixelI420, width, height))
	p.wanted(false)
	w.eventually("ready", w.ready())
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		reader, err := w.camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: &mediav1.VideoFormat{
			MediaType: media.Raw, PixelFormat: media.PixelI420}})
		if err != nil {
			t.Fatal(err)
		}
		p.wanted(true)
		p.video(rawFrame(media.PixelI420, width, height))
		if _, err := reader.Recv(); err != nil {
			t.Fatal(err)
		}
		cancel()
		p.wanted(false)
	}
	sound := soundStep(&mediav1.AudioFrame{Format: samples(16000), Data: make([]byte, 640)})
	p.send(sound)
	w.eventually("there is sound", func() bool {
		return slices.ContainsFunc(w.process.Kit().Device().GetStreams(),
			func(s *devicev1.StreamInfo) bool { return s.GetName() == "audio" })
	})
	listener, err := w.audio.StreamAudio(t.Context(), &audiov1.StreamAudioRequest{})
	if err != nil {
		t.Fatal(err)
	}
	p.wanted(true)
	if _, err := listener.Recv(); err != nil {
		t.Fatal(err)
	}
}

// Key frames are wished of a program that compresses, as of a network camera.
func TestAProgramThatCompresses(t *testing.T) {
	w := start(t, Defaults())
	p := w.publish("lamp", false).begun()
	frames := encoded(t, media.H264)
	p.repeat(func(i int) *mediav1.VideoFrame {
		return &mediav1.VideoFrame{Sequence: int64(i), KeyFrame: i%len(frames) == 0, Data: frames[i%len(frames)],
			Format: &mediav1.VideoFormat{MediaType: media.H264}, CaptureTime: timestamppb.Now()}
	})
	w.eventually("ready", w.ready())
	w.checkOrange(w.rawPicture(), width, height)
	p.until("a key frame is wished", func(r *peerv1.PublishResponse) bool { return r.GetWish().GetKeyFrame() != nil })
}

// The device that stops says so in a way that a program knows that it may try again.
func TestStopping(t *testing.T) {
	w := start(t, Defaults())
	p := w.publish("lamp", false).begun()
	done := make(chan error, 1)
	go func() { done <- p.end() }()
	w.process.Stop()
	if err := <-done; status.Code(err) != codes.Unavailable {
		t.Errorf("the call ends with %v", err)
	}
}
