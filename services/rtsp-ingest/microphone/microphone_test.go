package microphone

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var mono = pcm.Format{Rate: 48000, Channels: 1}

// heard is what a listener was given.
type heard struct {
	samples []float32
	begin   time.Time
	states  []State
	drift   time.Duration // by how much the time of a piece was off from that of the samples before, at most
}

func (h *heard) take(samples []float32, at time.Time) {
	if len(h.samples) == 0 {
		h.begin = at
	}
	h.drift = max(h.drift, at.Sub(h.begin.Add(mono.Duration(int64(len(h.samples))))).Abs())
	h.samples = append(h.samples, samples...)
}

// blocks are so much sound of a camera, as package rtp gives it on.
func blocks(mediaType string, m *fakecam.Media, d time.Duration) (out []feed.Sound) {
	track := feed.Track{MediaType: mediaType, SampleRate: m.Clock, Channels: m.Channels, Config: m.Config}
	if mediaType == feed.G726 {
		track.Config = []byte(m.Encoding)
	}
	length := time.Duration(m.Step) * time.Second / time.Duration(m.Clock)
	for i := range int(d / length) {
		out = append(out, feed.Sound{
			Track: track, Data: m.Units[i%len(m.Units)].Data[0], Time: time.Duration(i) * length,
		})
	}
	return out
}

// hear gives blocks to a microphone that somebody listens to, each when its time on the camera's clock has come.
func hear(t *testing.T, list []feed.Sound) (h heard) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Format: mono, Changed: func(s State) { h.states = append(h.states, s) },
			Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Capture(ctx, h.take) }()
		began := time.Now()
		for _, b := range list {
			synctest.Wait()
			m.Add(b, began.Add(b.Time))
		}
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return h
}

func tone(t *testing.T, what string, samples []float32, level float64) {
	t.Helper()
	m := tonetest.Of(samples, mono.Rate)
	if math.Abs(m.Hz-440) > 1 || math.Abs(m.Level-level) > 1 || m.Pure < 0.98 || len(m.Gaps) > 0 {
		t.Errorf("%s: heard %.2f Hz, %.2f dBFS, purity %.3f, gaps %v; want 440 Hz, %v dBFS, pure and without gaps", what,
			m.Hz, m.Level, m.Pure, m.Gaps, level)
	}
}

// level is that of [fakecam.Tone], a quarter of full scale.
const level = -12

// sent is sound of a camera and what is to be heard.
type sent struct {
	mediaType string
	media     *fakecam.Media
	level     float64
	text      string
}

func TestEncodings(t *testing.T) {
	for _, s := range append([]sent{
		{feed.PCMU, fakecam.Tone(fakecam.PCMU, 8000), level, "G.711 µ-law, 8000 Hz mono"},
		{feed.PCMA, fakecam.Tone(fakecam.PCMA, 8000), level, "G.711 A-law, 8000 Hz mono"},
		{feed.PCMA, fakecam.Tone(fakecam.PCMA, 16000), level, "G.711 A-law, 16000 Hz mono"},
		{feed.L16, fakecam.Tone(fakecam.L16, 16000), level, "L16, 16000 Hz mono"},
		{feed.L16, fakecam.Tone(fakecam.L16, 44100), level, "L16, 44100 Hz mono"},
		{feed.L16, fakecam.Tone(fakecam.L16, 48000), level, "L16, 48000 Hz mono"},
		{feed.Opus, fakecam.Clip("tone.opus"), level - 6, "Opus, 48000 Hz stereo"},
	}, byLibrary...) {
		t.Run(s.text, s.test)
	}
}

func (s sent) test(t *testing.T) {
	h := hear(t, blocks(s.mediaType, s.media, 2*time.Second))
	if len(h.states) != 1 || h.states[0].Text != s.text || h.states[0].Err != nil {
		t.Errorf("states %v, want %q once", h.states, s.text)
	}
	if n := len(h.samples); n < 48000*190/100 || n > 48000*2 {
		t.Fatalf("%d samples of two seconds", n)
	}
	tone(t, "the first second", h.samples[4800:43200], s.level) // the waves of a clip do not meet
	tone(t, "the second one", h.samples[52800:91200], s.level)
	if h.drift > 100*time.Microsecond {
		t.Errorf("times and samples differ by up to %v", h.drift)
	}
}

// What is heard has the time at which it was captured, although a sample rate converter needs what comes after.
func TestTimeOfAClick(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		silence := make([]byte, 2*rate/50)
		list := make([]feed.Sound, 20)
		for i := range list {
			list[i] = feed.Sound{Track: feed.Track{MediaType: feed.L16, SampleRate: rate}, Data: silence,
				Time: time.Duration(i) * 20 * time.Millisecond}
		}
		click := make([]byte, len(silence))
		click[0] = 0x7f
		list[10].Data = click
		h := hear(t, list)
		loudest := 0
		for i, s := range h.samples {
			if s > h.samples[loudest] {
				loudest = i
			}
		}
		if at := mono.Duration(int64(loudest)); (at - 200*time.Millisecond).Abs() > time.Millisecond {
			t.Errorf("%d Hz: the click came at %v, want 200ms", rate, at)
		}
	}
}

func TestGaps(t *testing.T) {
	const lost, second = 50, 48000
	for name, test := range map[string]struct {
		change func([]feed.Sound) []feed.Sound
		silent time.Duration // that is heard in between
		gap    time.Duration // that is left to the pipeline
	}{
		"a packet is lost": {func(list []feed.Sound) []feed.Sound {
			list[lost+1].Lost = 1
			return append(list[:lost:lost], list[lost+1:]...)
		}, 20 * time.Millisecond, 0},
		"one is broken": {func(list []feed.Sound) []feed.Sound {
			list[lost].Data = list[lost].Data[1:] // of two bytes a sample
			return list
		}, 20 * time.Millisecond, 0},
		"the camera stops for 180 ms": {func(list []feed.Sound) []feed.Sound {
			return append(list[:lost:lost], list[lost+9:]...)
		}, 180 * time.Millisecond, 0},
		"the camera stops for 300 ms": {func(list []feed.Sound) []feed.Sound {
			return append(list[:lost:lost], list[lost+15:]...)
		}, 0, 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			h := hear(t, test.change(blocks(feed.L16, fakecam.Tone(fakecam.L16, 16000), 2*time.Second)))
			if (h.drift - test.gap).Abs() > 5*time.Millisecond { // some of what the converter held back is given up
				t.Errorf("times and samples differ by up to %v, want %v", h.drift, test.gap)
			}
			want := mono.Frames(2*time.Second - test.gap)
			if n := len(h.samples); n < want-960 || n > want {
				t.Errorf("%d samples, want %d", n, want)
			}
			tone(t, "before", h.samples[4800:second-960], level)
			tone(t, "after", h.samples[second+mono.Frames(test.silent)+960:second*3/2], level)
			gaps := tonetest.Of(h.samples[4800:second*3/2], mono.Rate).Gaps
			if test.silent > 0 && (len(gaps) != 1 || (gaps[0]-test.silent).Abs() > 5*time.Millisecond) {
				t.Errorf("gaps %v, want one of %v", gaps, test.silent)
			}
		})
	}
}

// Stamps that say nothing do not make silence of sound that is all there.
func TestStampsThatLie(t *testing.T) {
	for name, stamp := range map[string]func(i int) time.Duration{
		"twice as fast": func(i int) time.Duration { return time.Duration(2*i) * 100 * time.Millisecond },
		"all equal":     func(int) time.Duration { return 0 },
		"backwards":     func(i int) time.Duration { return time.Duration(-i) * time.Second },
		"shaking":       func(i int) time.Duration { return time.Duration(100*i+30*(i%2)) * time.Millisecond },
		"huge":          func(i int) time.Duration { return time.Duration(i%2) * math.MaxInt64 },
	} {
		e, err := newEar(encoding{feed.L16, 48000, 1, ""}, mono)
		if err != nil {
			t.Fatal(err)
		}
		var h heard
		begin := time.Now()
		for i := range 20 {
			b := block{at: begin.Add(time.Duration(i) * 100 * time.Millisecond)}
			b.Data, b.Time = make([]byte, 9600), stamp(i)
			if err := e.hear(b, h.take); err != nil {
				t.Fatal(err)
			}
		}
		e.close()
		if len(h.samples) != 2*48000 {
			t.Errorf("%s: %d samples were made of %d", name, len(h.samples), 2*48000)
		}
	}
}

func TestWhatCannotBeHeard(t *testing.T) {
	for says, track := range map[string]feed.Track{
		aacSays: {MediaType: feed.AAC, SampleRate: 16000, Channels: 1},
		"the camera's sound cannot be decoded: set it to": {MediaType: "audio/G729", SampleRate: 8000},
		"has 5512 samples a second":                       {MediaType: feed.L16, SampleRate: 5512},
		"has 1000000000 samples a second":                 {MediaType: feed.L16, SampleRate: 1e9},
		"has 6 channels: set it to mono":                  {MediaType: feed.Opus, SampleRate: 48000, Channels: 6},
		"G.711 A-law, 8000 Hz stereo, and cannot be deco": {MediaType: feed.PCMA, SampleRate: 8000, Channels: 2},
		"Opus, 48000 Hz mono, and cannot be decoded as s": {MediaType: feed.Opus, SampleRate: 48000, Channels: 1},
	} {
		var list []feed.Sound
		for i := range 2 * maxBad {
			list = append(list,
				feed.Sound{Track: track, Data: []byte("\xffno sound at all!"), Time: time.Duration(i) * time.Second})
		}
		h := hear(t, list)
		last := h.states[len(h.states)-1]
		if last.Err == nil || !strings.Contains(last.Err.Error(), says) || feed.ReasonOf(last.Err) != feed.Unsupported {
			t.Errorf("%v: states %v, want an error that says %q", track, h.states, says)
		}
		if len(h.samples) > 0 {
			t.Errorf("%v: %d samples were heard", track, len(h.samples))
		}
	}
}

// A camera may change the encoding by itself, and what comes after a connection was lost is news.
func TestEncodingChanges(t *testing.T) {
	list := blocks(feed.PCMU, fakecam.Tone(fakecam.PCMU, 8000), time.Second)
	for _, b := range blocks(feed.PCMA, fakecam.Tone(fakecam.PCMA, 16000), time.Second) {
		b.Time += time.Second
		list = append(list, b)
	}
	h := hear(t, list)
	if len(h.states) != 2 || fmt.Sprint(h.states[0].Text, h.states[1].Text) !=
		"G.711 µ-law, 8000 Hz mono"+"G.711 A-law, 16000 Hz mono" {
		t.Errorf("states %v", h.states)
	}
	tone(t, "before", h.samples[4800:48000-960], level)
	tone(t, "after", h.samples[48000+960:len(h.samples)-960], level)
	news := 0
	m := New(Config{Format: mono, Changed: func(State) { news++ }, Log: slog.New(slog.DiscardHandler)})
	for range 2 {
		m.Add(list[0], time.Now())
		m.Add(list[1], time.Now())
		m.Forget()
	}
	if news != 2 {
		t.Errorf("%d states of two connections", news)
	}
}

// A block that is longer than a second is left out, not kept.
func TestHugeBlock(t *testing.T) {
	list := blocks(feed.L16, fakecam.Tone(fakecam.L16, 48000), time.Second)
	list[0].Data = make([]byte, maxBlock+2)
	if h := hear(t, list); len(h.samples) != 48000-960 {
		t.Errorf("%d samples were heard, want %d", len(h.samples), 48000-960)
	}
}
