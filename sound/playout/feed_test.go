package playout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"gopkg.in/hraban/opus.v2"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func raw(sampleFormat string, rate, channels int32) *mediav1.AudioFormat {
	return &mediav1.AudioFormat{MediaType: pcm.Raw, SampleFormat: sampleFormat, SampleRateHz: rate, Channels: channels}
}

func frameOf(f *mediav1.AudioFormat, samples []float32) *mediav1.AudioFrame {
	return &mediav1.AudioFrame{Format: f, Data: pcm.Encode(nil, f.GetSampleFormat(), samples)}
}

func open(t testing.TB, w *world, f *mediav1.AudioFormat) *Feed {
	t.Helper()
	feed, err := w.Open("program", f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { feed.Close() })
	return feed
}

// inBubble runs a test whose mixer has the clock of a bubble, and whose speaker reads until the test is over.
func inBubble(t *testing.T, config Config, test func(t *testing.T, m *Mixer, heard func() []float32)) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		var (
			mu  sync.Mutex
			all []float32
			end = make(chan struct{})
			wg  sync.WaitGroup
		)
		wg.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			block := make([]float32, m.config.Rate/100*m.config.Channels)
			for {
				select {
				case <-end:
					return
				case <-tick.C:
				}
				m.Read(block)
				mu.Lock()
				all = append(all, block...)
				mu.Unlock()
			}
		})
		test(t, m, func() []float32 {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(all)
		})
		close(end)
		wg.Wait()
		m.Close()
	})
}

// periods counts how often the first channel rises through zero.
func periods(samples []float32, channels int) (n int) {
	last := float32(0)
	for _, s := range every(samples, channels) {
		if last < 0 && s >= 0 {
			n++
		}
		last = s
	}
	return n
}

// TestFeedFormats plays two seconds of a tone in every format, to a mono and a stereo speaker: pitch, level and length
// are right.
func TestFeedFormats(t *testing.T) {
	t.Parallel()
	formats := []*mediav1.AudioFormat{
		raw(pcm.S16LE, 8000, 1), raw(pcm.S16LE, 16000, 2), raw(pcm.F32LE, 44100, 1), raw(pcm.F32LE, 44100, 2), raw(pcm.S16LE,
			48000, 1),
		raw(pcm.F32LE, 48000, 2), raw(pcm.S16LE, 192000, 2), opusFormat,
	}
	for _, f := range formats {
		for _, channels := range []int{1, 2} {
			inBubble(t, Config{Channels: channels}, func(t *testing.T, m *Mixer, heard func() []float32) {
				feed, err := m.Open("program", f)
				if err != nil {
					t.Fatal(err)
				}
				for _, frame := range twoSeconds(t, f) {
					if err := feed.Write(t.Context(), frame); err != nil {
						t.Fatal(err)
					}
				}
				if err := feed.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
				all := heard()
				what := fmt.Sprintf("%v to %d channels", f, channels)
				if n := periods(all, channels); n < 990 || n > 1010 {
					t.Errorf("%s: %d periods, want 1000", what, n)
				}
				if level := rms(all[len(all)/4:len(all)/2]) * math.Sqrt2; math.Abs(level-0.5) > 0.01 {
					t.Errorf("%s: amplitude %.3f, want 0.5", what, level)
				}
				if d := feed.Played(); d < 1999*time.Millisecond || d > 2001*time.Millisecond {
					t.Errorf("%s: %v were played, want 2s", what, d)
				}
				feed.Close()
			})
		}
	}
}

// twoSeconds of 500 Hz, in frames of 10 ms or packets of 20 ms.
func twoSeconds(t testing.TB, f *mediav1.AudioFormat) (frames []*mediav1.AudioFrame) {
	if f.GetMediaType() == pcm.Opus {
		for _, data := range encode(t, sine(500, 0.5, 96000), opus.AppAudio, 64000, false) {
			frames = append(frames, &mediav1.AudioFrame{Data: data})
		}
		return frames
	}
	rate := int(f.GetSampleRateHz())
	var samples []float32
	for i := range 2 * rate {
		samples = append(samples, float32(0.5*math.Sin(2*math.Pi*500*float64(i)/float64(rate))))
	}
	for part := range slices.Chunk(pcm.Mix(nil, samples, 1, int(f.GetChannels())), rate/100*int(f.GetChannels())) {
		frames = append(frames, &mediav1.AudioFrame{Data: pcm.Encode(nil, f.GetSampleFormat(), part)})
	}
	return frames
}

// TestFeedHoldsUpWhoIsTooFast writes ten seconds at once: they take ten seconds, and never do more than 200 ms wait.
func TestFeedHoldsUpWhoIsTooFast(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, m *Mixer, _ func() []float32) {
		feed, err := m.Open("program", nil)
		if err != nil {
			t.Fatal(err)
		}
		begin, f := time.Now(), raw(pcm.S16LE, 8000, 1)
		for range 2 { // one message of 5 s each
			if err := feed.Write(t.Context(), frameOf(f, make([]float32, 40_000))); err != nil {
				t.Fatal(err)
			}
		}
		wrote := time.Since(begin)
		if wrote < 9700*time.Millisecond || wrote > 9900*time.Millisecond {
			t.Errorf("ten seconds were written in %v, want 200 ms less than that", wrote)
		}
		if d := m.Talkers()[0].GetBuffered().AsDuration(); d > feedRoom {
			t.Errorf("%v wait", d)
		}
		if err := feed.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d < 9990*time.Millisecond || d > 10050*time.Millisecond {
			t.Errorf("it took %v to play, want 10s", d)
		}
		if n := cap(feed.converted); n > 65536 {
			t.Errorf("room for %d samples was made", n)
		}
		feed.Close()
	})
}

// TestFeedWaitsForNobody ends what waits: by its context, by Close, by the mixer, and by the limit.
func TestFeedWaitsForNobody(t *testing.T) {
	wait := map[string]func(ctx context.Context, f *Feed) error{
		"Write": func(ctx context.Context, f *Feed) error {
			return f.Write(ctx, frameOf(raw(pcm.S16LE, 48000, 1), make([]float32, 48000)))
		},
		"Drain": func(ctx context.Context, f *Feed) error {
			if err := f.Write(ctx, frameOf(raw(pcm.S16LE, 48000, 1), make([]float32, 960))); err != nil {
				return err
			}
			return f.Drain(ctx)
		},
	}
	end := map[error]func(m *Mixer, f *Feed, cancel func()){
		context.Canceled: func(_ *Mixer, _ *Feed, cancel func()) { cancel() },
		ErrClosed:        func(_ *Mixer, f *Feed, _ func()) { f.Close() },
		nil:              func(m *Mixer, _ *Feed, _ func()) { m.Close() },
	}
	for what, wait := range wait {
		for want, end := range end {
			synctest.Test(t, func(t *testing.T) {
				m, err := New(Config{}) // whose speaker reads nothing
				if err != nil {
					t.Fatal(err)
				}
				f, err := m.Open("program", nil)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- wait(ctx, f) }()
				synctest.Wait()
				select {
				case err := <-done:
					t.Fatalf("%s did not wait: %v", what, err)
				default:
				}
				end(m, f, cancel)
				if err := <-done; !errors.Is(err, cmp.Or(want, ErrClosed)) {
					t.Errorf("%s: %v, want %v", what, err, cmp.Or(want, ErrClosed))
				}
				f.Close()
				if err := f.Write(t.Context(), frameOf(raw(pcm.S16LE, 48000, 1), nil)); !errors.Is(err, ErrClosed) {
					t.Errorf("a closed feed: %v", err)
				}
				if err := f.Drain(t.Context()); !errors.Is(err, ErrClosed) {
					t.Errorf("a closed feed drains: %v", err)
				}
			})
		}
	}
}

// TestFeedThatNeverStops is cut off, and may talk again after a pause.
func TestFeedThatNeverStops(t *testing.T) {
	inBubble(t, Config{MaxTalk: 3 * time.Second}, func(t *testing.T, m *Mixer, heard func() []float32) {
		feed, err := m.Open("program", raw(pcm.S16LE, 48000, 1))
		if err != nil {
			t.Fatal(err)
		}
		frame, begin := frameOf(nil, sine(500, 0.5, 4800)), time.Now()
		frame.Data = pcm.Encode(nil, pcm.S16LE, sine(500, 0.5, 4800))
		for err == nil && time.Since(begin) < time.Minute {
			err = feed.Write(t.Context(), frame)
		}
		if d := time.Since(begin); !errors.Is(err, ErrTooLong) || d < 2900*time.Millisecond || d > 3300*time.Millisecond {
			t.Errorf("after %v: %v", d, err)
		}
		if len(m.Talkers()) != 0 {
			t.Error("the talker is still listed")
		}
		time.Sleep(Pause + 100*time.Millisecond)
		if all := heard(); rms(all[len(all)-4800:]) != 0 {
			t.Error("the talker is still heard")
		}
		if err := feed.Write(t.Context(), frame); err != nil {
			t.Errorf("after a pause: %v", err)
		}
		if n := testutil.ToFloat64(m.metrics.refusedTooLong); n != 1 {
			t.Errorf("%v cut off", n)
		}
		feed.Close()
	})
}

// TestFeedBeginsAndEnds is about who is talking.
func TestFeedBeginsAndEnds(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, m *Mixer, _ func() []float32) {
		feed, err := m.Open("program", nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Talkers()) != 0 {
			t.Error("it talks before it has written anything")
		}
		begin := time.Now()
		if err := feed.Write(t.Context(), frameOf(raw(pcm.F32LE, 48000, 1), sine(500, 0.5, 4800))); err != nil {
			t.Fatal(err)
		}
		if talkers := m.Talkers(); len(talkers) != 1 || talkers[0].GetName() != "program" ||
			!talkers[0].GetSince().AsTime().Equal(begin) {
			t.Errorf("%v talk", talkers)
		}
		if err := feed.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(Pause - 50*time.Millisecond)
		if len(m.Talkers()) != 1 {
			t.Error("it ended too soon")
		}
		time.Sleep(100 * time.Millisecond)
		if len(m.Talkers()) != 0 {
			t.Error("it goes on after a pause")
		}
		feed.Close()
		feed.Close()
		time.Sleep(2 * feedClosing)
		m.Talkers()
		if n := testutil.ToFloat64(m.metrics.talkers); n != 0 {
			t.Errorf("%v talkers after it was closed", n)
		}
	})
}

// TestBadSamples plays samples that are not numbers, and samples beyond full scale.
func TestBadSamples(t *testing.T) {
	for _, rate := range []int32{48000, 44100} {
		w := newWorld(t, Config{})
		f := open(t, w, raw(pcm.F32LE, rate, 1))
		nan, inf := float32(math.NaN()), float32(math.Inf(1))
		samples := []float32{nan, inf, -inf, 1e30, -1e30, math.MaxFloat32, 1.5, math.SmallestNonzeroFloat32,
			-math.SmallestNonzeroFloat32, 0.5}
		if err := f.Write(t.Context(), frameOf(f.format, samples)); err != nil {
			t.Fatal(err)
		}
		if err := f.Write(t.Context(), frameOf(f.format, make([]float32, 4800))); err != nil {
			t.Fatal(err)
		}
		heard := w.play(time.Second) // fails if a sample is not a number or out of range
		if level := rms(heard[24000:]); level != 0 {
			t.Errorf("level %v is left", level)
		}
		if i, c := testutil.ToFloat64(w.metrics.invalid), testutil.ToFloat64(w.metrics.clipped); i != 3 || c != 4 {
			t.Errorf("%v invalid, %v clipped; want 3 and 4", i, c)
		}
	}
}

// badFrames feed the test and the fuzz target.
var badFrames = []*mediav1.AudioFrame{
	nil,
	{Data: []byte{1, 2}},
	{Format: &mediav1.AudioFormat{}, Data: []byte{1, 2}},
	{Format: raw("S24LE", 48000, 1), Data: []byte{1, 2, 3}},
	{Format: raw(pcm.S16LE, 48000, 2), Data: []byte{1, 2}},
	{Format: raw(pcm.S16LE, 48000, 1), Data: []byte{1, 2}, SampleCount: 2},
	{Format: raw(pcm.F32LE, 1, 1), Data: []byte{1, 2, 3, 4}},
	{Format: raw(pcm.F32LE, 48000, 9), Data: []byte{1, 2, 3, 4}},
	{Format: opusFormat},
	{Format: opusFormat, Data: []byte{0xff, 0x3f, 0xff}},
}

func TestFeedRefusesBadFrames(t *testing.T) {
	w := newWorld(t, Config{})
	for i, frame := range badFrames {
		f := open(t, w, nil)
		if err := f.Write(t.Context(), frame); !errors.Is(err, pcm.ErrFormat) {
			t.Errorf("frame %d, %v: %v", i, frame, err)
		}
		if err := f.Write(t.Context(), frameOf(raw(pcm.S16LE, 48000, 1), make([]float32, 10))); err != nil {
			t.Errorf("a good frame after frame %d: %v", i, err)
		}
		f.Close()
	}
	if _, err := w.Open("program", raw("", 48000, 1)); !errors.Is(err, pcm.ErrFormat) {
		t.Errorf("a bad format: %v", err)
	}
}

// TestFeedChangesFormat loses nothing of the sound before.
func TestFeedChangesFormat(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, m *Mixer, _ func() []float32) {
		feed, err := m.Open("program", nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			for _, f := range []*mediav1.AudioFormat{raw(pcm.S16LE, 8000, 1), raw(pcm.F32LE, 44100, 2)} {
				samples := make([]float32, f.GetSampleRateHz()/100*f.GetChannels())
				if err := feed.Write(t.Context(), frameOf(f, samples)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := feed.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := feed.Played(); d < 995*time.Millisecond || d > 1005*time.Millisecond {
			t.Errorf("%v were played, want 1s", d)
		}
		feed.Close()
	})
}

// TestFeedInRealTime writes as a microphone would, unevenly, and is heard without a gap. Closed in the middle of a
// sound, it ends without a click.
func TestFeedInRealTime(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, m *Mixer, heard func() []float32) {
		feed, err := m.Open("program", raw(pcm.F32LE, 48000, 1))
		if err != nil {
			t.Fatal(err)
		}
		sound, pauses := sine(475, 0.5, 96000), []time.Duration{35 * time.Millisecond, 5 * time.Millisecond}
		for i := range 100 {
			if err := feed.Write(t.Context(),
				&mediav1.AudioFrame{Data: pcm.Encode(nil, pcm.F32LE, sound[i*960:(i+1)*960])}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(pauses[i%2])
		}
		before := heard()
		begin := slices.IndexFunc(before, func(s float32) bool { return s != 0 }) + 240 // it begins softly
		if level := rms(before[begin : begin+4800]); math.Abs(level-0.354) > 0.005 {
			t.Errorf("level %.3f: gaps", level)
		}
		feed.Close()
		time.Sleep(100 * time.Millisecond)
		all := heard()
		if r, end := roughness(before[960:]), roughness(all[len(before)-960:]); r > 0.005 || end > 0.05 ||
			all[len(before)-1] == 0 {
			t.Errorf("roughness %.4f, at the end %.4f from %.2f: a click", r, end, all[len(before)-1])
		}
		if rest := all[len(all)-960:]; rms(rest) != 0 {
			t.Errorf("level %v after the end", rms(rest))
		}
	})
}
