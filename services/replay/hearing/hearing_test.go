package hearing

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"gopkg.in/hraban/opus.v2"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	long   = 20 * time.Second // for what should come at once
	packet = 20 * time.Millisecond
)

// yesterday is when the recordings of tests were made.
var yesterday = time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)

// recorded are packets of a tone.
func recorded(t testing.TB, n int) (all []*mediav1.AudioFrame) {
	t.Helper()
	e, err := opus.NewEncoder(pcm.OpusRate, 1, opus.AppVoIP)
	if err != nil {
		t.Fatal(err)
	}
	samples, buffer := make([]float32, 960), make([]byte, 4000)
	for i := range n {
		for j := range samples {
			samples[j] = float32(0.5 * math.Sin(float64(i*960+j)*2*math.Pi*440/pcm.OpusRate))
		}
		size, err := e.EncodeFloat32(samples, buffer)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &mediav1.AudioFrame{
			Epoch: 5, Sequence: int64(i + 100), CaptureTime: timestamppb.New(yesterday.Add(time.Duration(i) * packet)),
			Format:      &mediav1.AudioFormat{MediaType: pcm.Opus, SampleRateHz: pcm.OpusRate, Channels: 1},
			SampleIndex: int64(i+100) * 960, SampleCount: 960, Data: bytes.Clone(buffer[:size])})
	}
	return all
}

func message(t testing.TB, f *mediav1.AudioFrame) []byte {
	t.Helper()
	data, err := proto.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// start runs a microphone as a device.
func start(t *testing.T) (*Microphone, audiov1.AudioServiceClient) {
	t.Helper()
	var m *Microphone
	kind := device.Kind[struct{}]{Name: "audio", Version: "1.0.0",
		New: func(kit *device.Kit, _ struct{}) (device.Driver, error) {
			m = New(kit, Config{})
			return m, nil
		}}
	p, err := device.Start(kind,
		device.Settings{Robot: "test", Device: "voice", GRPC: "127.0.0.1:0", Metrics: "127.0.0.1:0",
			NATS: "nats://127.0.0.1:1"}, struct{}{}, logtest.New(t, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	c, err := grpc.NewClient(p.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return m, audiov1.NewAudioServiceClient(c)
}

// listen reads what a listener gets.
func listen(t *testing.T, c audiov1.AudioServiceClient, f *mediav1.AudioFormat) func() *mediav1.AudioFrame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	t.Cleanup(cancel)
	call, err := c.StreamAudio(ctx, &audiov1.StreamAudioRequest{Format: f}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return func() *mediav1.AudioFrame {
		t.Helper()
		r, err := call.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return r.GetFrame()
	}
}

// tape plays a recording.
type tape struct {
	m       *Microphone
	packets []*mediav1.AudioFrame
	at      time.Time
}

// play plays one packet, in time.
func (p *tape) play(t *testing.T, n int) {
	t.Helper()
	p.m.Message(message(t, p.packets[n]), p.at)
	p.at = p.at.Add(packet)
}

// begun waits until so many listen to packets.
func (p *tape) begun(t *testing.T, listeners int) {
	t.Helper()
	for end := time.Now().Add(long); p.m.packets.Subscribers() < listeners; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody listens")
		}
	}
}

// TestPackets: who takes Opus gets what was recorded, in an epoch of its own after everything that interrupts the
// replay.
func TestPackets(t *testing.T) {
	m, c := start(t)
	p := &tape{m, recorded(t, 8), time.Now()}
	next := listen(t, c, nil)
	p.begun(t, 1)
	interrupt := []func(){
		func() { m.Pace(true, 1); m.Jump() }, m.Jump, func() { m.Pace(false, 1); m.Pace(true, 1) },
		func() { m.Pace(true, 2); p.play(t, 0); m.Pace(true, 1) },
		func() {
			for _, f := range p.packets {
				f.Epoch++
			}
		},
	}
	epochs := map[int64]bool{}
	for _, interrupt := range interrupt {
		interrupt()
		var epoch int64
		for n, want := range p.packets {
			p.play(t, n)
			f := next()
			if n == 0 {
				epoch = f.GetEpoch()
			}
			if age := time.Since(f.GetReplayTime().AsTime()); age < -long || age > long {
				t.Errorf("packet %d is %v old", n, age)
			}
			f.ReplayTime = nil
			want = proto.CloneOf(want)
			if want.Epoch = epoch; !proto.Equal(f, want) {
				t.Errorf("packet %d: %v, want %v", n, f, want)
			}
		}
		if epochs[epoch] || epoch <= 0 {
			t.Errorf("the epoch %d is not new", epoch)
		}
		epochs[epoch] = true
	}
}

// TestOtherFormats: what is decoded has the times and the epoch of the recording, and what is missing is silence.
func TestOtherFormats(t *testing.T) {
	m, c := start(t)
	p := &tape{m, recorded(t, 100), time.Now()}
	next := listen(t, c, &mediav1.AudioFormat{MediaType: pcm.Raw, SampleRateHz: 16_000, Channels: 2})
	p.begun(t, 1)
	loud, quiet, heard := 0, 0, 0
	for n := range 50 {
		if n == 25 || n == 26 {
			p.at = p.at.Add(packet) // lost
			continue
		}
		p.play(t, n)
		for ; heard < 2*n-4; heard++ { // some is still in the converter
			f := next()
			if f.GetFormat().GetSampleRateHz() != 16_000 || f.GetEpoch() != m.epoch || f.GetSampleCount() != 160 {
				t.Fatalf("block %d: %v", heard, f)
			}
			want := yesterday.Add(time.Duration(heard) * 10 * time.Millisecond)
			if off := f.GetCaptureTime().AsTime().Sub(want).Abs(); off > 15*time.Millisecond {
				t.Errorf("block %d was captured %v off", heard, off)
			}
			samples, err := pcm.Decode(nil, f.GetFormat(), f.GetData(), 0)
			if err != nil {
				t.Fatal(err)
			}
			switch level := rms(samples); {
			case level > 0.1:
				loud++
			case level < 0.01:
				quiet++
			}
		}
	}
	if loud < 60 || quiet < 2 || quiet > 8 {
		t.Errorf("%d blocks are loud and %d quiet, want about 75 and 4", loud, quiet)
	}
}

func rms(samples []float32) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(len(samples)))
}

// bad are messages that are left out, by what is said of them.
func bad(t testing.TB) map[string][]byte {
	t.Helper()
	with := func(change func(*mediav1.AudioFrame)) []byte {
		f := recorded(t, 1)[0]
		change(f)
		return message(t, f)
	}
	return map[string][]byte{
		"not an AudioFrame": {0xff, 0xff, 0xff},
		"no data":           with(func(f *mediav1.AudioFrame) { f.Data = nil }),
		"the limit is":      with(func(f *mediav1.AudioFrame) { f.Data = make([]byte, maxData+1) }),
		"capture_time":      with(func(f *mediav1.AudioFrame) { f.CaptureTime = nil }),
		"negative":          with(func(f *mediav1.AudioFrame) { f.SampleIndex = -1 }),
		"channels":          with(func(f *mediav1.AudioFrame) { f.Format.Channels = 9 }),
		"sample_count":      with(func(f *mediav1.AudioFrame) { f.SampleCount = 1 << 30 }),
		"media_type":        with(func(f *mediav1.AudioFrame) { f.Format.MediaType = "audio/flac" }),
		"multiple of": with(func(f *mediav1.AudioFrame) {
			f.Format.MediaType, f.Format.SampleFormat, f.Data = pcm.Raw, pcm.F32LE, make([]byte, 3)
		}),
		"lasts longer": with(func(f *mediav1.AudioFrame) {
			f.Format.MediaType, f.Format.SampleFormat, f.Data, f.SampleCount = pcm.Raw, pcm.S16LE, make([]byte, 200_000), 0
		}),
	}
}

func TestBadMessages(t *testing.T) {
	m, c := start(t)
	p := &tape{m, recorded(t, 2), time.Now()}
	next := listen(t, c, nil)
	p.begun(t, 1)
	for says, data := range bad(t) {
		if _, err := parse(data); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want it to say %q", err, says)
		}
		m.Message(data, time.Now())
	}
	p.play(t, 1)
	if f := next(); f.GetSequence() != 101 {
		t.Errorf("after what is left out comes packet %d", f.GetSequence())
	}
}

// FuzzMessage: no message is trouble, and what is taken can be decoded or is refused.
func FuzzMessage(f *testing.F) {
	for _, data := range bad(f) {
		if len(data) < 1000 {
			f.Add(data)
		}
	}
	for _, one := range recorded(f, 2) {
		f.Add(message(f, one))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		one, err := parse(data)
		if err != nil {
			return
		}
		d := &decoder{to: pcm.Format{Rate: pcm.OpusRate, Channels: 1}}
		defer d.close()
		for range 2 {
			if samples, err := d.decode(one); err == nil && len(samples) > 10*pcm.OpusRate {
				t.Errorf("%d samples of %d bytes", len(samples), len(data))
			}
		}
	})
}
