package e2e

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// flashes makes a recording of so many whole seconds. At the beginning of each the picture becomes bright and a tone
// sounds, for 0.2 s.
func flashes(tb testing.TB, seconds int) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "flashes.mcap")
	f, err := write.Create(path, write.Head{Metadata: map[string]string{"robot": "rover"}},
		write.Config{QueueBytes: 1 << 30})
	if err != nil {
		tb.Fatal(err)
	}
	video, sound := recordingtest.Add(tb, f, recordingtest.Video("front")),
		recordingtest.Add(tb, f, recordingtest.Sound("voice"))
	put := func(to write.Channel, m write.Message) {
		if err := f.Write(to, m); err != nil {
			tb.Fatal(err)
		}
	}
	const bright, loud, rate, size = "lt(mod(t,1),0.2)", `0.7*sin(2*PI*1000*t)*lt(mod(t\,1)\,0.2)`, 30, 160
	pictures := recordingtest.Clip(tb, "320x240", fmt.Sprint(seconds), fmt.Sprint(rate),
		"-vf", "drawbox=c=black:t=fill,drawbox=c=white:t=fill:enable='"+bright+"'")
	// At a constant bit rate each packet, of 20 ms, has the same size.
	packets := recordingtest.Encode(tb, "-f", "lavfi", "-i", "aevalsrc="+loud+":s=48000", "-t", fmt.Sprint(seconds),
		"-map", "0:a", "-c:a", "libopus", "-vbr", "off", "-b:a", fmt.Sprint(size*8*50), "-frame_duration", "20", "-f", "data",
		"-")
	next := 0
	for n, picture := range pictures {
		at := time.Duration(n) * time.Second / rate
		for ; time.Duration(next)*20*time.Millisecond <= at && len(packets) >= size; next++ {
			put(sound, recordingtest.AudioMessage(next, recordingtest.Begin.Add(time.Duration(next)*20*time.Millisecond), 1,
				packets[:size]))
			packets = packets[size:]
		}
		put(video,
			recordingtest.VideoMessage(n, recordingtest.Begin.Add(at), recordingtest.H264(320, 240), n%rate == 0, picture))
	}
	if err := f.Close(); err != nil || f.Lost() > 0 {
		tb.Fatal(err, f.Lost())
	}
	return path
}

// witness notes when the page sees a picture become bright, and when it hears a tone begin; in ms.
const witness = `(() => {
  const video = document.querySelector('[data-device="front"] video').srcObject.getVideoTracks()[0];
  const read = async (track, take) => {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      take(value, performance.now());
      value.close();
    }
  };
  Object.assign(window, { seen: [], heard: [], pictures: 0 });
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  let bright = true;
  read(video, (picture, at) => {
    context.drawImage(picture, 0, 0, 1, 1);
    const is = context.getImageData(0, 0, 1, 1).data[1] > 128;
    if (is && !bright) seen.push(at);
    bright = is;
    pictures += 1;
  });
  let loud = Infinity; // when it was so last
  read(listening.track, (sound, at) => {
    const samples = new Float32Array(sound.numberOfFrames);
    sound.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
    const first = samples.findIndex((s) => Math.abs(s) > 0.1);
    if (loud === Infinity) loud = at;
    if (first < 0) return;
    if (at - loud > 500) heard.push(at - (samples.length - first) / sound.sampleRate * 1000);
    loud = at;
  });
})()`

// pairs returns how much later than a flash its tone was heard, of all that were noted.
const pairs = `heard.flatMap((at) => {
  const flash = seen.reduce((a, b) => Math.abs(b - at) < Math.abs(a - at) ? b : a, Infinity);
  return Math.abs(at - flash) < 400 ? [at - flash] : [];
})`

// BenchmarkRecordInStep measures in Chromium how far apart a flash and its tone are that were recorded together: after
// the start of a replay, and after each of several jumps and pauses. later-… is how much later the tone is (less than
// 0: before the flash), and apart-… the same without its sign.
func BenchmarkRecordInStep(b *testing.B) {
	replay := startReplay(b, "--loop", flashes(b, 60))
	page := harness.StartBrowser(b).Open(b, replay.URL)
	page.Tile(b, "front").WaitFrames(b, 30)
	listen(b, page, "voice")
	harness.Eval[any](b, page, witness)
	measure := func(b *testing.B, count int, begin func()) (later []float64) {
		b.Helper()
		begin()
		harness.Eval[any](b, page, "(() => { seen.length = 0; heard.length = 0; })()")
		harness.UntilWithin(b, time.Duration(count)*time.Second+harness.Patience, "flashes and tones", func() error {
			if later = harness.Eval[[]float64](b, page, pairs); len(later) < count {
				return fmt.Errorf("%d of %d", len(later), count)
			}
			return nil
		})
		return later
	}
	report := func(b *testing.B, later []float64) {
		b.Helper()
		apart := make([]float64, len(later))
		for i, ms := range later {
			apart[i] = math.Abs(ms)
		}
		harness.Report(b, "later", "ms", later)
		harness.Report(b, "apart", "ms", apart)
		b.ReportMetric(0, "ns/op")
	}
	for _, after := range []struct {
		name  string
		count int
		begin func(n int)
	}{
		{"start", 30, nil},
		{"seek", 3, func(n int) { player(b, replay, "Seek", fmt.Sprintf(`{"offset": "%d.5s"}`, 5*n)) }},
		{"pause", 3, func(int) {
			player(b, replay, "Pause")
			harness.Until(b, "it stands still", func() error {
				if before := harness.Eval[int](b, page, "pictures"); before != harness.Eval[int](b, page,
					"new Promise((r) => setTimeout(() => r(pictures), 300))") {
					return errors.New("pictures come")
				}
				return nil
			})
			player(b, replay, "Play")
		}},
	} {
		b.Run("after "+after.name, func(b *testing.B) {
			defer harness.Noise(b)()
			if after.begin == nil {
				report(b, measure(b, after.count, func() {}))
				return
			}
			var later []float64
			for n := range 10 {
				later = append(later, measure(b, after.count, func() { after.begin(n) })...)
			}
			report(b, later)
		})
	}
}
