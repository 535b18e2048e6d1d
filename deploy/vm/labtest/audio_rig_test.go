package labtest

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"testing"

	"google.golang.org/grpc"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// The two ends of the kernel's loopback card: sound played at one is captured at the other.
const (
	loopbackSpeaker    = "hw:0,0"
	loopbackMicrophone = "hw:0,1"
	audioRate          = 48000
)

// plugLoopback gives the guest a sound card and removes it at the end.
func plugLoopback(t *testing.T) {
	t.Helper()
	command(t, "modprobe", "snd-aloop", "index=0", "pcm_substreams=1")
	t.Cleanup(func() {
		eventually(t, "snd-aloop unloaded", func() bool { return exec.Command("rmmod", "snd-aloop").Run() == nil })
	})
	awaitLoopback(t)
}

// awaitLoopback waits for the card's device files.
func awaitLoopback(t *testing.T) {
	t.Helper()
	for _, file := range []string{"/dev/snd/pcmC0D0p", "/dev/snd/pcmC0D1c"} {
		eventually(t, file+" there", func() bool { _, err := os.Stat(file); return err == nil })
	}
	command(t, "udevadm", "settle")
}

// switchLoopback pulls the card out ("unbind") or plugs it in ("bind"). Pulling it out waits until nobody has it open.
func switchLoopback(t *testing.T, how string) {
	t.Helper()
	if err := os.WriteFile("/sys/bus/platform/drivers/snd_aloop/"+how, []byte("snd_aloop.0"), 0); err != nil {
		t.Fatal(err)
	}
}

// audio is a waldo-audio.
type audio struct {
	*process
	audios audiov1.AudioServiceClient
}

// startAudio starts the program at both ends of the loopback card and stops it at the end of the test.
func startAudio(t *testing.T, grpcAddress string) *audio {
	t.Helper()
	return startAudioAt(t, grpcAddress, loopbackMicrophone, loopbackSpeaker)
}

// startAudioAt starts it with a microphone and a speaker. The guest is slow, so blocks are long.
func startAudioAt(t *testing.T, grpcAddress, microphone, speaker string, flags ...string) *audio {
	t.Helper()
	p := start(t, "audio", grpcAddress, append([]string{"--source", microphone, "--speaker", speaker, "--block", "60"},
		flags...)...)
	return &audio{p, audiov1.NewAudioServiceClient(p.conn)}
}

func rawAudio() *mediav1.AudioFormat {
	return &mediav1.AudioFormat{MediaType: "audio/raw", SampleFormat: "S16LE", SampleRateHz: audioRate, Channels: 1}
}

// ear reads one StreamAudio call.
type ear struct {
	*messages[audiov1.StreamAudioResponse]
}

func (a *audio) listen() *ear {
	a.t.Helper()
	return &ear{read(a.t, func(ctx context.Context) (grpc.ServerStreamingClient[audiov1.StreamAudioResponse], error) {
		return a.audios.StreamAudio(ctx, &audiov1.StreamAudioRequest{Format: rawAudio()})
	})}
}

// play plays a sine at half of full scale until the returned function is called or the card is gone.
func (a *audio) play(hz float64) (stop func()) {
	a.t.Helper()
	ctx, cancel := context.WithCancel(a.t.Context())
	call, err := a.audios.PlayAudio(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		const block = audioRate / 20
		for n := 0; ; n += block {
			data := make([]byte, 0, 2*block)
			for i := range block {
				s := 16384 * math.Sin(2*math.Pi*hz*float64(n+i)/audioRate)
				data = binary.LittleEndian.AppendUint16(data, uint16(int16(s)))
			}
			if call.Send(&audiov1.PlayAudioRequest{Frame: &mediav1.AudioFrame{Format: rawAudio(), Data: data}}) != nil {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// hear listens until a tone has lasted half a second, and returns its frequency and its peak.
func (e *ear) hear() (hz float64, peak int) {
	e.t.Helper()
	var samples []int16
	for len(samples) < audioRate/2 {
		data := e.next().GetFrame().GetData()
		for i := 0; i+1 < len(data); i += 2 {
			s := int16(binary.LittleEndian.Uint16(data[i:]))
			if len(samples) > 0 || s > 1000 {
				samples = append(samples, s)
			}
		}
	}
	return frequency(samples), peakOf(samples)
}

// frequency uses the median distance between rising zero crossings: a gap does not change it.
func frequency(samples []int16) float64 {
	count := map[int]int{}
	last, usual := -1, 0
	for i := 1; i < len(samples); i++ {
		if samples[i-1] >= 0 || samples[i] < 0 {
			continue
		}
		if last >= 0 {
			count[i-last]++
		}
		last = i
	}
	for period, n := range count {
		if n > count[usual] {
			usual = period
		}
	}
	if usual == 0 {
		return 0
	}
	return audioRate / float64(usual)
}

func peakOf(samples []int16) (peak int) {
	for _, s := range samples {
		peak = max(peak, int(s), -int(s))
	}
	return peak
}
