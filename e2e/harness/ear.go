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

// EarRate is the sample rate of all ears, in Hz.
const EarRate = 48_000

// Heard is mono sound at EarRate, with the time of each piece.
type Heard struct {
	Samples []float32
	pieces  []piece
}

// piece is where a piece of sound begins that arrived at once, and when it arrived.
type piece struct {
	begin int
	at    time.Time
}

// At is when a sample arrived.
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

// Last is the newest part, of the given length.
func (h Heard) Last(d time.Duration) []float32 {
	return h.Samples[max(0, len(h.Samples)-int(d.Seconds()*EarRate)):]
}

// Newest is the last part, of the given length.
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

// FullSince is since when the sound has been as loud as given (root mean square): the end of the last quieter window
// of 15 ms, and not before t.
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

// ear records the sound of a track in the page, as a player receives it.
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

// take hands over what the ear has recorded.
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

// PageEar records a track of a page.
type PageEar struct {
	page  *Page
	heard Heard
}

// Hear starts recording the track that a JavaScript expression returns.
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

// atEarRate resamples sound to EarRate. It interpolates linearly, which is good enough to know when something was
// heard.
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

// RobotEar records an audio device over gRPC, at its microphone or at its speaker.
type RobotEar struct {
	mu    sync.Mutex
	heard Heard
}

// HearRobot records an audio device until the test ends.
func HearRobot(tb testing.TB, d Device, tap audiov1.AudioTap) *RobotEar {
	tb.Helper()
	e := &RobotEar{}
	streamAudio(tb, d, &audiov1.StreamAudioRequest{
		Tap:    tap,
		Format: &mediav1.AudioFormat{MediaType: "audio/raw", SampleFormat: "F32LE", SampleRateHz: EarRate, Channels: 1},
	}, e.take)
	return e
}

// CountPackets listens to the microphone as Opus until the test ends. The returned function counts the packets so far.
func CountPackets(tb testing.TB, d Device) (count func() int64) {
	tb.Helper()
	var n atomic.Int64
	streamAudio(tb, d, &audiov1.StreamAudioRequest{}, func(*mediav1.AudioFrame) { n.Add(1) })
	return n.Load
}

// streamAudio passes what an audio device sends to take, until the device or the test ends.
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
		_ = conn.Close() // an error would lose nothing
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
