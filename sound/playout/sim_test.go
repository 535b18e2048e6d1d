package playout

import (
	"math"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gopkg.in/hraban/opus.v2"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var opusFormat = &mediav1.AudioFormat{MediaType: pcm.Opus, SampleRateHz: 48000, Channels: 1}

// world is a mixer whose clock is in the hands of the test.
type world struct {
	*Mixer
	t   testing.TB
	now time.Time
}

func newWorld(t testing.TB, config Config) *world {
	t.Helper()
	w := &world{t: t, now: time.Unix(1_000_000, 0)}
	config.Now = func() time.Time { return w.now }
	m, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.Mixer = m
	t.Cleanup(func() { m.Close() })
	return w
}

// sender sends packets of 20 ms again and again, numbered on.
type sender struct {
	name     string
	epoch    int64
	packets  [][]byte
	sequence int64
	index    int64
}

func (s *sender) frame() *mediav1.AudioFrame {
	f := &mediav1.AudioFrame{Epoch: s.epoch, Talker: s.name, Sequence: s.sequence, SampleIndex: s.index, SampleCount: 960,
		Format: opusFormat, Data: s.packets[s.sequence%int64(len(s.packets))]}
	s.sequence++
	s.index += 960
	return f
}

// play lets time go by, in blocks of 10 ms, while the senders send in real time. It returns what was heard.
func (w *world) play(d time.Duration, senders ...*sender) (heard []float32) {
	w.t.Helper()
	block := make([]float32, w.config.Rate/100*w.config.Channels)
	for i := range int(d / (10 * time.Millisecond)) {
		if i%2 == 0 {
			for _, s := range senders {
				w.Receive(s.frame())
			}
		}
		w.Read(block)
		heard = append(heard, block...)
		w.now = w.now.Add(10 * time.Millisecond)
	}
	for i, s := range heard {
		if !(s >= -1 && s <= 1) {
			w.t.Fatalf("sample %d is %v", i, s)
		}
	}
	return heard
}

// the returns the only talker of the network.
func (w *world) the() *remote {
	w.t.Helper()
	if len(w.voices) != 1 {
		w.t.Fatalf("%d talkers, want 1", len(w.voices))
	}
	return w.voices[0].(*remote)
}

func sine(hz, amplitude float64, n int) []float32 { return tonetest.Sine(hz, amplitude, 48000, n) }

// encode makes packets of 20 ms of mono sound.
func encode(t testing.TB, samples []float32, app opus.Application, bitrate int, fec bool) (packets [][]byte) {
	t.Helper()
	e, err := opus.NewEncoder(48000, 1, app)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{e.SetBitrate(bitrate), e.SetInBandFEC(fec), e.SetPacketLossPerc(10), e.SetComplexity(5)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if bitrate <= 20000 { // for tests that decode much
		if err := e.SetMaxBandwidth(opus.Narrowband); err != nil {
			t.Fatal(err)
		}
	}
	data := make([]byte, maxPacket)
	for part := range slices.Chunk(samples, 960) {
		n, err := e.EncodeFloat32(part, data)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, slices.Clone(data[:n]))
	}
	return packets
}

// tone returns packets of a sine that can be repeated for ever: whole periods, encoded when the encoder has settled.
func tone(t testing.TB) [][]byte {
	t.Helper()
	return encode(t, sine(1000, 0.5, 48000*3), opus.AppAudio, 64000, false)[100:]
}

// roughness is the largest second difference: what a step of that height makes of silence.
func roughness(samples []float32) (most float64) {
	for i := 2; i < len(samples); i++ {
		d := float64(samples[i]) - 2*float64(samples[i-1]) + float64(samples[i-2])
		most = max(most, d, -d)
	}
	return most
}

func rms(samples []float32) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(max(len(samples), 1)))
}
