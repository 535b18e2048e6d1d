package harness

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// EarRate is how many samples a second all ears take.
const EarRate = 48_000

// Heard is sound of one channel at EarRate, with the time of each piece.
type Heard struct {
	Samples []float32
	pieces  []piece
}

// piece is where something begins that was heard at once, and when that was.
type piece struct {
	begin int
	at    time.Time
}

// At is when a sample was heard.
func (h Heard) At(sample int) time.Time {
	last := piece{}
	for _, p := range h.pieces {
		if p.begin > sample {
			break
		}
		last = p
	}
	return last.at.Add(time.Duration(sample-last.begin) * time.Second / EarRate)
}

// Last is the newest part, so long.
func (h Heard) Last(d time.Duration) []float32 {
	return h.Samples[max(0, len(h.Samples)-int(d.Seconds()*EarRate)):]
}

// Newest is the last part, so long.
func (h Heard) Newest(d time.Duration) Heard {
	begin := max(0, len(h.Samples)-int(d.Seconds()*EarRate))
	newest := Heard{Samples: h.Samples[begin:]}
	for _, p := range h.pieces {
		if p.begin >= begin {
			newest.pieces = append(newest.pieces, piece{p.begin - begin, p.at})
		}
	}
	return newest
}

// FullSince is from when on nothing was missing: the end of the last 15 ms after a moment that were not so loud, as
// root mean square.
func (h Heard) FullSince(t time.Time, loud float64) time.Time {
	const window = EarRate * 15 / 1000
	for end := len(h.Samples); end >= window; end -= window {
		if h.At(end).Before(t) {
			break
		}
		sum := 0.0
		for _, s := range h.Samples[end-window : end] {
			sum += float64(s) * float64(s)
		}
		if math.Sqrt(sum/window) < loud {
			return h.At(end)
		}
	}
	return t
}

func (h *Heard) add(at time.Time, samples []float32) {
	h.pieces = append(h.pieces, piece{len(h.Samples), at})
	h.Samples = append(h.Samples, samples...)
}

// ear keeps what a track in the page carries, as it is given to whoever plays it.
const ear = `((track) => {
  const heard = (window.testEar = { pieces: [] });
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  heard.running = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const samples = new Float32Array(value.numberOfFrames);
      value.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
      heard.pieces.push({ at: performance.timeOrigin + performance.now(), rate: value.sampleRate, samples });
      value.close();
    }
  })().catch((e) => { heard.error = String(e); });
})($1)`

// take gives away what the ear has kept.
const take = `(() => {
  const { pieces, error } = window.testEar;
  window.testEar.pieces = [];
  return { error, pieces: pieces.map(({ at, rate, samples }) => {
    const bytes = new Uint8Array(samples.buffer);
    let text = '';
    for (let i = 0; i < bytes.length; i += 1) text += String.fromCharCode(bytes[i]);
    return { at, rate, samples: btoa(text) };
  }) };
})()`

// PageEar hears a track of a page.
type PageEar struct {
	page  *Page
	heard Heard
}

// Hear begins to hear a track, which a JavaScript expression gives.
func (p *Page) Hear(tb testing.TB, track string) *PageEar {
	tb.Helper()
	Eval[any](tb, p, strings.ReplaceAll(ear, "$1", track))
	return &PageEar{page: p}
}

// Heard is all that was heard so far.
func (e *PageEar) Heard(tb testing.TB) Heard {
	tb.Helper()
	taken := Eval[struct {
		Error  string
		Pieces []struct {
			At      float64 // ms
			Rate    int
			Samples []byte
		}
	}](tb, e.page, take)
	if taken.Error != "" {
		tb.Fatalf("the ear in the page: %s", taken.Error)
	}
	for _, p := range taken.Pieces {
		e.heard.add(time.UnixMicro(int64(p.At*1000)), atEarRate(floats(p.Samples), p.Rate))
	}
	return e.heard
}

// atEarRate has as many samples a second as all ears take. What is in between is on a line, which is good enough to
// know when something was heard.
func atEarRate(samples []float32, rate int) []float32 {
	if rate == EarRate || len(samples) == 0 {
		return samples
	}
	out := make([]float32, len(samples)*EarRate/rate)
	for i := range out {
		at := float64(i) * float64(rate) / EarRate
		left := int(at)
		right := min(left+1, len(samples)-1)
		part := float32(at - float64(left))
		out[i] = samples[left]*(1-part) + samples[right]*part
	}
	return out
}

func floats(data []byte) []float32 {
	samples := make([]float32, len(data)/4)
	for i := range samples {
		samples[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return samples
}

// RobotEar hears an audio device by gRPC, at its microphone or at its speaker.
type RobotEar struct {
	mu    sync.Mutex
	heard Heard
}

// HearRobot begins to hear an audio device, until the test ends.
func HearRobot(tb testing.TB, d Device, tap audiov1.AudioTap) *RobotEar {
	tb.Helper()
	e := &RobotEar{}
	streamAudio(tb, d, &audiov1.StreamAudioRequest{
		Tap:    tap,
		Format: &mediav1.AudioFormat{MediaType: "audio/raw", SampleFormat: "F32LE", SampleRateHz: EarRate, Channels: 1},
	}, e.take)
	return e
}

// CountPackets listens to the microphone as Opus until the test ends, and returns how many packets came so far.
func CountPackets(tb testing.TB, d Device) (count func() int64) {
	tb.Helper()
	var n atomic.Int64
	streamAudio(tb, d, &audiov1.StreamAudioRequest{}, func(*mediav1.AudioFrame) { n.Add(1) })
	return n.Load
}

// streamAudio gives what an audio device sends to take, until the device or the test ends.
func streamAudio(tb testing.TB, d Device, request *audiov1.StreamAudioRequest, take func(*mediav1.AudioFrame)) {
	tb.Helper()
	conn, err := grpc.NewClient(d.GRPCAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	tb.Cleanup(func() {
		cancel()
		<-ended
		_ = conn.Close() // nothing is lost by it
	})
	stream, err := audiov1.NewAudioServiceClient(conn).StreamAudio(ctx, request)
	if err != nil {
		close(ended)
		tb.Fatal(err)
	}
	go func() {
		defer close(ended)
		for r, err := stream.Recv(); err == nil; r, err = stream.Recv() {
			take(r.GetFrame())
		}
	}()
}

func (e *RobotEar) take(f *mediav1.AudioFrame) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard.add(f.GetCaptureTime().AsTime(), floats(f.GetData()))
}

// Heard is all that was heard so far.
func (e *RobotEar) Heard(testing.TB) Heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Heard{e.heard.Samples[:len(e.heard.Samples):len(e.heard.Samples)],
		e.heard.pieces[:len(e.heard.pieces):len(e.heard.pieces)]}
}
