package peer

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"gopkg.in/hraban/opus.v2"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// A program's sound is heard, samples and Opus, at the pace of the clock however fast it comes.
func TestAProgramIsHeard(t *testing.T) {
	const tone, rate = 440, 48000
	w := start(t, Defaults())
	p := w.publish("voice", false).begun()
	encoder, err := opus.NewEncoder(pcm.OpusRate, 1, opus.AppVoIP)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]func(samples []int16) *mediav1.AudioFrame{
		"samples": func(samples []int16) *mediav1.AudioFrame {
			data := make([]byte, 0, 2*len(samples))
			for _, s := range samples {
				data = binary.LittleEndian.AppendUint16(data, uint16(s))
			}
			return &mediav1.AudioFrame{Format: &mediav1.AudioFormat{
				MediaType: pcm.Raw, SampleFormat: pcm.S16LE, SampleRateHz: rate, Channels: 1}, Data: data}
		},
		"Opus": func(samples []int16) *mediav1.AudioFrame {
			packet := make([]byte, 4000)
			n, err := encoder.Encode(samples, packet)
			if err != nil {
				t.Error(err)
			}
			return &mediav1.AudioFrame{Format: &mediav1.AudioFormat{
				MediaType: pcm.Opus, SampleRateHz: pcm.OpusRate, Channels: 1}, Data: packet[:n]}
		},
	} {
		t.Run(name, func(t *testing.T) {
			stop, done := make(chan struct{}), make(chan struct{})
			go func() { // as fast as flow control lets it
				defer close(done)
				for i := 0; ; i += 960 {
					samples := make([]int16, 960)
					for j := range samples {
						samples[j] = int16(8000 * math.Sin(2*math.Pi*tone*float64(i+j)/rate))
					}
					select {
					case <-stop:
						return
					default:
						p.send(soundStep(block(samples)))
					}
				}
			}()
			defer func() { close(stop); <-done }()
			w.eventually("there is sound", func() bool {
				return slices.ContainsFunc(w.process.Kit().Device().GetStreams(),
					func(s *devicev1.StreamInfo) bool { return s.GetName() == "audio" })
			})
			listener, err := w.audio.StreamAudio(t.Context(), &audiov1.StreamAudioRequest{Format: &mediav1.AudioFormat{
				MediaType: pcm.Raw, SampleFormat: pcm.F32LE, SampleRateHz: rate, Channels: 1}})
			if err != nil {
				t.Fatal(err)
			}
			hears(t, listener, tone, rate)
		})
	}
}

// A program that sends nothing but sound is ready, too.
func TestSoundAlone(t *testing.T) {
	w := start(t, Defaults())
	p := w.publish("voice", false).begun()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				p.send(soundStep(&mediav1.AudioFrame{Format: samples(16000), Data: make([]byte, 6400)}))
			}
		}
	}()
	w.eventually("ready", w.ready())
	close(stop)
	<-done
	p.cancel()
	w.eventually("away", w.is(devicev1.DeviceState_DEVICE_STATE_AWAY, "the program has gone"))
}

// hears returns when a second of a tone was heard, or fails.
func hears(t *testing.T, listener audiov1.AudioService_StreamAudioClient, tone, rate float64) {
	t.Helper()
	var heard []float32
	for deadline := time.Now().Add(timeout); ; {
		r, err := listener.Recv()
		if err != nil {
			t.Fatal(err)
		}
		heard, err = pcm.Decode(heard, r.GetFrame().GetFormat(), r.GetFrame().GetData(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := int(rate) / 2; len(heard) >= n {
			if got := tonetest.Of(heard[len(heard)-n:], int(rate)).Hz; math.Abs(got-tone) < 5 {
				return
			} else if time.Now().After(deadline) {
				t.Fatalf("heard %v Hz", got)
			}
		}
	}
}
