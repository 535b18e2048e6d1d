package audio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/services/audio/sim"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/pace"
	"github.com/waldo-robot/waldo/sound/pcm"
)

const patience = time.Minute

func TestMain(m *testing.M) { os.Exit(leakFree(m)) }

func leakFree(m *testing.M) int {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Println(err)
		return 1
	}
	return code
}

// soundCard is a card that the test plugs and unplugs: its microphone hears a tone, its speaker remembers what it
// plays.
type soundCard struct {
	mu     sync.Mutex
	away   bool
	pulled chan struct{}
	heard  []float32
	format pcm.Format
}

var errPulled = fmt.Errorf("%w: the test has it", device.ErrAway)

func (s *soundCard) pull() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = true
	close(s.pulled)
}

func (s *soundCard) plug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away, s.pulled = false, make(chan struct{})
}

func (s *soundCard) open(c Config, n needs) (card.Card, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return card.Card{}, errPulled
	}
	s.format = c.format()
	opened, err := sim.OpenMicrophone(sim.MicrophoneConfig{Pace: pace.Pace{Format: c.format(), Block: c.block(),
		Batch: n.batch}, Hz: c.ToneHz})
	pulled := s.pulled
	opened.Speaker = &earshot{s, sim.OpenSpeaker(sim.SpeakerConfig{Format: c.format(), Block: c.block(),
		While: n.while}).Speaker}
	opened.Attributes["speaker"] = "test"
	opened.Watch = func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-pulled:
			return errPulled
		}
	}
	opened.Close = func() error { return nil }
	return opened, err
}

// earshot listens to a speaker.
type earshot struct {
	card *soundCard
	card.Speaker
}

func (e *earshot) Play(ctx context.Context, fill func([]float32)) error {
	return e.Speaker.Play(ctx, func(samples []float32) {
		fill(samples)
		e.card.hear(samples)
	})
}

func (s *soundCard) hear(samples []float32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	loud := slices.ContainsFunc(samples, func(x float32) bool { return x > 0.001 })
	if len(s.heard) == 0 && !loud {
		return
	}
	s.heard = append(s.heard, samples...)
}

// played takes the sound so far, from the first that was not silence.
func (s *soundCard) played() []float32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.heard
	s.heard = nil
	return heard
}

func (s *soundCard) length() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heard)
}

// world is an audio process on a real bus and gRPC, with a client of each, and its card.
type world struct {
	t       testing.TB
	card    *soundCard
	process *device.Process
	conn    *bus.ConnCloser
	address bus.Address
	audio   audiov1.AudioServiceClient // over gRPC
	onBus   audiov1.AudioServiceClient // over the bus
}

func small() Config {
	c := Defaults()
	c.Source, c.Speaker = "the test's card", "the test's card"
	return c
}

func start(t testing.TB, config Config) *world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, address: bus.Address{Robot: "test", Device: "voice"}, card: &soundCard{}}
	w.card.plug()
	nats, err := embedded.Start(embedded.Config{})
	must(err)
	t.Cleanup(nats.Close)
	must(config.Validate())
	kind := Kind()
	kind.New = func(kit *device.Kit, c Config) (device.Driver, error) {
		list := func() ([]*audiov1.SoundDevice, error) { return []*audiov1.SoundDevice{{Name: "the test's card"}}, nil }
		return newDriverOf(kit, c, list, func(n needs) (card.Card, error) { return w.card.open(c, n) },
			longestTurn)
	}
	settings := device.Settings{
		Robot: "test", Device: "voice", NATS: nats.URL(), GRPC: "127.0.0.1:0", Metrics: "127.0.0.1:0", LogLevel: "info"}
	w.process, err = device.Start(kind, settings, config, logtest.New(t, slog.LevelInfo))
	must(err)
	t.Cleanup(w.process.Stop)
	w.conn, err = bus.Connect(bus.Config{URL: nats.URL(), Name: "test"})
	must(err)
	t.Cleanup(w.conn.Close)
	w.audio, w.onBus = w.dial(), audiov1.NewAudioServiceClient(w.conn.Client(w.address))
	w.await("ready", w.state(ready))
	return w
}

// dial connects to the device over gRPC.
func (w *world) dial(options ...grpc.DialOption) audiov1.AudioServiceClient {
	w.t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient(w.process.GRPCAddress(), options...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return audiov1.NewAudioServiceClient(conn)
}

const (
	ready = devicev1.DeviceState_DEVICE_STATE_READY
	away  = devicev1.DeviceState_DEVICE_STATE_AWAY
)

func (w *world) state(s devicev1.DeviceState) func() bool {
	return func() bool { return w.process.Kit().Device().GetState() == s }
}

func (w *world) await(what string, done func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// metric reads a value from the process's own /metrics.
func (w *world) metric(name string) float64 {
	w.t.Helper()
	response, err := http.Get("http://" + w.process.MetricsAddress() + "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindSubmatch(text)
	if found == nil {
		w.t.Fatalf("there is no metric %s", name)
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*patience)
	w.t.Cleanup(cancel)
	return ctx
}

// listen begins a StreamAudio call.
func (w *world) listen(r *audiov1.StreamAudioRequest) audiov1.AudioService_StreamAudioClient {
	w.t.Helper()
	s, err := w.audio.StreamAudio(w.context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func raw(sample string, rate, channels int32) *mediav1.AudioFormat {
	return &mediav1.AudioFormat{MediaType: pcm.Raw, SampleFormat: sample, SampleRateHz: rate, Channels: channels}
}

// hear receives so much sound in the call's format, which is raw.
func (w *world) hear(s audiov1.AudioService_StreamAudioClient, d time.Duration) (samples []float32) {
	w.t.Helper()
	for {
		r, err := s.Recv()
		if err != nil {
			w.t.Fatal(err)
		}
		f := r.GetFrame()
		if samples, err = pcm.Decode(samples, f.GetFormat(), f.GetData(), int(f.GetSampleCount())); err != nil {
			w.t.Fatal(err)
		}
		of := pcm.Format{Rate: int(f.GetFormat().GetSampleRateHz()), Channels: int(f.GetFormat().GetChannels())}
		if len(samples) >= of.Frames(d)*of.Channels {
			return samples
		}
	}
}

// sine is so much of a tone at half of full scale, -6 dBFS.
func sine(hz float64, f *mediav1.AudioFormat, d time.Duration) []byte {
	var samples []float32
	for i := range int(d.Seconds() * float64(f.GetSampleRateHz())) {
		for range f.GetChannels() {
			samples = append(samples, float32(0.5*math.Sin(2*math.Pi*hz*float64(i)/float64(f.GetSampleRateHz()))))
		}
	}
	return pcm.Encode(nil, f.GetSampleFormat(), samples)
}

// talk begins a PlayAudio call.
func (w *world) talk() audiov1.AudioService_PlayAudioClient {
	w.t.Helper()
	s, err := w.audio.PlayAudio(w.context())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// say sends frames and returns how the call ended.
func (w *world) say(frames ...*mediav1.AudioFrame) (*audiov1.PlayAudioResponse, error) {
	w.t.Helper()
	s := w.talk()
	for _, f := range frames {
		if err := s.Send(&audiov1.PlayAudioRequest{Frame: f}); err != nil {
			break // CloseAndRecv says why
		}
	}
	r, err := s.CloseAndRecv()
	if errors.Is(err, context.DeadlineExceeded) {
		w.t.Fatal(err)
	}
	return r, err
}

func floats(values ...float32) (data []byte) {
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}
