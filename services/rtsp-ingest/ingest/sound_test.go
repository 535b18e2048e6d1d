package ingest

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"gopkg.in/hraban/opus.v2"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/video/codec/network"
)

const patience = 30 * time.Second

// world is a process with a network camera, on a real bus and gRPC.
type world struct {
	t       *testing.T
	process *device.Process
	bus     *bus.ConnCloser
	address bus.Address
	audio   audiov1.AudioServiceClient
	camera  camerav1.CameraServiceClient
}

// start starts a process for a camera, and waits for its first picture.
func start(t *testing.T, camera interface{ URL() string }, change func(*Config)) *world {
	t.Helper()
	return startAt(t, camera.URL(), change)
}

func startAt(t *testing.T, url string, change func(*Config)) *world {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	config := Defaults()
	config.URL = url
	if change != nil {
		change(&config)
	}
	must(config.Validate())
	nats, err := embedded.Start(embedded.Config{})
	must(err)
	t.Cleanup(nats.Close)
	w := &world{t: t, address: bus.Address{Robot: "test", Device: "door"}}
	w.process, err = device.Start(Kind(), device.Settings{Robot: "test", Device: "door", NATS: nats.URL(),
		GRPC: "127.0.0.1:0", LogLevel: "info"}, config, logtest.New(t, slog.LevelInfo))
	must(err)
	t.Cleanup(w.process.Stop)
	w.bus, err = bus.Connect(bus.Config{URL: nats.URL(), Name: "test"})
	must(err)
	t.Cleanup(w.bus.Close)
	conn, err := grpc.NewClient(w.process.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	t.Cleanup(func() { _ = conn.Close() })
	w.audio, w.camera = audiov1.NewAudioServiceClient(conn), camerav1.NewCameraServiceClient(conn)
	w.await("ready", func(d *devicev1.Device) bool { return d.GetState() == devicev1.DeviceState_DEVICE_STATE_READY })
	return w
}

// await waits until the device's description is as it should be.
func (w *world) await(what string, is func(*devicev1.Device) bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !is(w.process.Kit().Device()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not within %v: %v", what, patience, w.process.Kit().Device())
		}
	}
}

func hasSound(d *devicev1.Device) bool {
	return slices.ContainsFunc(d.Streams, func(s *devicev1.StreamInfo) bool { return s.GetName() == "audio" })
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*patience)
	w.t.Cleanup(cancel)
	return ctx
}

// hold subscribes to a stream of the device, and holds it.
func hold[M proto.Message](w *world, name string) *bus.Subscription[M] {
	w.t.Helper()
	sub, err := bus.Subscribe[M](w.bus.Conn, w.address.Out(name), stream.DropOldest(1000))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(sub.Close)
	w.t.Cleanup(w.bus.Hold(w.address, name, "test").Close)
	return sub
}

// listen begins a call that sends samples in blocks of 10 ms.
func (w *world) listen() audiov1.AudioService_StreamAudioClient {
	w.t.Helper()
	s, err := w.audio.StreamAudio(w.context(), &audiov1.StreamAudioRequest{
		Format: &mediav1.AudioFormat{MediaType: pcm.Raw, SampleFormat: pcm.F32LE}, BlockSamples: 480})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) block(s audiov1.AudioService_StreamAudioClient) (*mediav1.AudioFrame, []float32) {
	w.t.Helper()
	r, err := s.Recv()
	if err != nil {
		w.t.Fatal(err)
	}
	f := r.GetFrame()
	samples, err := pcm.Decode(nil, f.GetFormat(), f.GetData(), int(f.GetSampleCount()))
	if err != nil {
		w.t.Fatal(err)
	}
	return f, samples
}

func withSound(tracks ...fakecam.Track) fakecam.Config {
	return fakecam.Config{Tracks: append([]fakecam.Track{{Media: fakecam.Clip("baseline.h264")}}, tracks...)}
}

// isTone fails for a second that is not 440 Hz as loud as the camera sent it, pure and without gaps.
func isTone(samples []float32, level float64) (tonetest.Measure, bool) {
	m := tonetest.Of(samples, pcm.OpusRate)
	return m, math.Abs(m.Hz-440) < 2 && math.Abs(m.Level-level) < 1.5 && m.Pure > 0.97 && len(m.Gaps) == 0
}

// needsLibrary skips tests of what only libavcodec decodes if the program is built without it.
func needsLibrary(t *testing.T, encoding string) {
	t.Helper()
	without := network.Codecs().CheckDecoder(media.H265) != nil
	if without && slices.Contains([]string{"aac", "latm", "g726"}, encoding) {
		t.Skip("SKIPPED: this build has no libavcodec (tag nolibav)")
	}
}

// follows reports whether a packet comes after another, if there is one, with an index that counts samples, also those of
// packets in between.
func follows(last, f *mediav1.AudioFrame) bool {
	on := f.GetSequence() - last.GetSequence()
	return last == nil || on > 0 && f.GetSampleIndex() >= last.GetSampleIndex()+on*960
}

// Whatever a camera sends, listeners on the bus get Opus packets of 20 ms, with indexes that count samples.
func TestSoundOnTheBus(t *testing.T) {
	const tone = -12 // dBFS, of fakecam.Tone
	for name, test := range map[string]struct {
		media *fakecam.Media
		level float64
		text  string
	}{
		"pcmu":     {fakecam.Tone(fakecam.PCMU, 8000), tone, "G.711 µ-law, 8000 Hz mono"},
		"pcma-16k": {fakecam.Tone(fakecam.PCMA, 16000), tone, "G.711 A-law, 16000 Hz mono"},
		"l16":      {fakecam.Tone(fakecam.L16, 16000), tone, "L16, 16000 Hz mono"},
		"opus":     {fakecam.Clip("tone.opus"), tone - 6, "Opus, 48000 Hz stereo"},
		"aac":      {fakecam.Clip("tone.aac"), tone - 6, "AAC, 16000 Hz mono"},
		"latm":     {fakecam.Multiplexed(fakecam.Clip("tone.aac")), tone - 6, "AAC, 16000 Hz mono"},
		"g726":     {fakecam.Clip("tone.g726"), tone - 6, "G.726, 8000 Hz mono"},
	} {
		t.Run(name, func(t *testing.T) {
			needsLibrary(t, name)
			w := start(t, fakecam.Start(t, withSound(fakecam.Track{Media: test.media})), nil)
			w.await("sound", hasSound)
			w.await("what it is", func(d *devicev1.Device) bool { return d.GetAttributes()["sound"] == test.text })
			packets := hold[*mediav1.AudioFrame](w, "audio")
			decoder, err := opus.NewDecoder(pcm.OpusRate, 1)
			if err != nil {
				t.Fatal(err)
			}
			var heard []float32
			var last *mediav1.AudioFrame
			piece := make([]float32, 960)
			for deadline := time.Now().Add(patience); ; {
				f, err := packets.Next(w.context())
				if err != nil {
					t.Fatal(err)
				}
				if n, err := decoder.DecodeFloat32(f.GetData(), piece); err != nil || n != 960 || f.GetSampleCount() != 960 {
					t.Fatalf("a packet of %d samples, said to be %d: %v", n, f.GetSampleCount(), err)
				}
				if last != nil && f.GetSequence() != last.GetSequence()+1 { // this reader was late, on a busy machine
					heard = nil
				}
				if !follows(last, f) {
					t.Fatalf("%v follows %v", f, last)
				}
				last, heard = f, append(heard, piece...)
				if len(heard) < pcm.OpusRate*4/5 {
					continue
				}
				m, ok := isTone(heard, test.level) // a machine that has too much to do may lose a piece before
				if ok {
					return
				}
				if heard = heard[len(heard)/2:]; time.Now().After(deadline) {
					t.Fatalf("heard %+v, want 440 Hz, %v dBFS", m, test.level)
				}
			}
		})
	}
}

// A picture and the sound of one moment have the same capture time. The camera's key frame comes once a second, and
// with it a beep.
func TestSoundInStepWithPictures(t *testing.T) {
	beep := fakecam.Tone(fakecam.PCMU, 8000)
	for i := range beep.Units {
		if i >= 5 { // after 100 ms
			beep.Units[i].Data = [][]byte{slices.Repeat([]byte{0xff}, 160)}
		}
	}
	aac := fakecam.Clip("beep.aac")
	for name, camera := range map[string]func(*testing.T) interface{ URL() string }{
		"G.711 by RTSP": func(t *testing.T) interface{ URL() string } {
			return fakecam.Start(t, withSound(fakecam.Track{Media: beep}))
		},
		"AAC by RTSP": func(t *testing.T) interface{ URL() string } {
			return fakecam.Start(t, withSound(fakecam.Track{Media: aac}))
		},
		"AAC by RTMP": func(t *testing.T) interface{ URL() string } {
			return fakecam.StartRTMP(t, fakecam.RTMPConfig{Sound: aac})
		},
	} {
		t.Run(name, func(t *testing.T) {
			needsLibrary(t, strings.ToLower(name[:3]))
			inStep(t, camera(t))
		})
	}
}

func inStep(t *testing.T, camera interface{ URL() string }) {
	w := start(t, camera, nil)
	w.await("sound", hasSound)
	pictures, err := w.camera.StreamFrames(w.context(), &camerav1.StreamFramesRequest{
		Format: &mediav1.VideoFormat{MediaType: media.H264}})
	if err != nil {
		t.Fatal(err)
	}
	sound := w.listen()
	var beeps, keys []time.Time
	for silent := 0; len(beeps) < 2; {
		f, samples := w.block(sound)
		for i, s := range samples {
			if math.Abs(float64(s)) < 0.05 {
				silent++
				continue
			}
			if silent > pcm.OpusRate/2 {
				beeps = append(beeps, f.GetCaptureTime().AsTime().Add(time.Duration(i)*time.Second/pcm.OpusRate))
			}
			silent = 0
		}
	}
	for len(keys) < 1 {
		r, err := pictures.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if f := r.GetFrame(); f.GetKeyFrame() {
			keys = append(keys, f.GetCaptureTime().AsTime())
		}
	}
	for _, b := range beeps {
		apart := b.Sub(keys[0]) % time.Second
		if apart > time.Second/2 {
			apart -= time.Second
		} else if apart < -time.Second/2 {
			apart += time.Second
		}
		if t.Logf("the beep is %v after its picture", apart); apart.Abs() > 40*time.Millisecond {
			t.Errorf("the beep is %v from its picture", apart)
		}
	}
}

// While the camera is away calls stay open. Afterwards the index has gone on as the time has.
func TestSoundAfterAnInterruption(t *testing.T) {
	camera := fakecam.Start(t, withSound(fakecam.Track{Media: fakecam.Tone(fakecam.PCMA, 8000)}))
	w := start(t, camera, nil)
	w.await("sound", hasSound)
	call := w.listen()
	before, _ := w.block(call)
	camera.Drop()
	for {
		f, _ := w.block(call)
		samples, passed := f.GetSampleIndex()-before.GetSampleIndex(), f.GetCaptureTime().AsTime().Sub(
			before.GetCaptureTime().AsTime())
		leapt := samples != int64(before.GetSampleCount())
		if off := passed - time.Duration(samples)*time.Second/pcm.OpusRate; leapt && off.Abs() > 250*time.Millisecond {
			t.Errorf("%v passed, and %d samples", passed, samples)
		}
		if before = f; leapt {
			break
		}
	}
	if !hasSound(w.process.Kit().Device()) {
		t.Error("the stream is not in the description any more")
	}
}

// cannotListen fails unless a call to listen fails with a code and a text.
func (w *world) cannotListen(code codes.Code, text string) {
	w.t.Helper()
	s, err := w.audio.StreamAudio(w.context(), &audiov1.StreamAudioRequest{})
	if err == nil {
		_, err = s.Recv()
	}
	if status.Code(err) != code || !strings.Contains(err.Error(), text) {
		w.t.Errorf("listening: %v, want %v with %q", err, code, text)
	}
	if hasSound(w.process.Kit().Device()) {
		w.t.Error("there is a stream of sound")
	}
}

func TestSoundThatIsNotThere(t *testing.T) {
	w := start(t, fakecam.Start(t, withSound()), nil)
	w.cannotListen(codes.Unavailable, "the camera has sent no sound")
	if got := w.process.Kit().Device().GetAttributes()["sound"]; got != "none" {
		t.Errorf("sound is %q, want none", got)
	}
	play, err := w.audio.PlayAudio(w.context())
	if err == nil {
		_, err = play.CloseAndRecv()
	}
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "no speaker") {
		t.Errorf("playing: %v", err)
	}
}

func TestSoundThatIsLeftOut(t *testing.T) {
	camera := fakecam.Start(t, withSound(fakecam.Track{Media: fakecam.Tone(fakecam.PCMA, 8000)}))
	w := start(t, camera, func(c *Config) { c.Sound = false })
	w.cannotListen(codes.Unimplemented, "AudioService")
	if n := camera.Count("SETUP"); n != 1 {
		t.Errorf("%d tracks were set up, want that of the pictures", n)
	}
}

// Sound that cannot be decoded does not end the pictures, and the description says what would help.
func TestSoundThatCannotBeDecoded(t *testing.T) {
	const says = "the camera's sound has 4000 samples a second, which is not between 8000 and 192000: set it to 8 kHz"
	w := start(t, fakecam.Start(t, withSound(fakecam.Track{Media: fakecam.Tone(fakecam.L16, 4000)})), nil)
	w.await("the reason", func(d *devicev1.Device) bool { return d.GetAttributes()["sound"] == "none: "+says })
	w.cannotListen(codes.Unavailable, says)
	pictures := hold[*mediav1.VideoFrame](w, "video")
	for range 30 {
		if _, err := pictures.Next(w.context()); err != nil {
			t.Fatal(err)
		}
	}
}
