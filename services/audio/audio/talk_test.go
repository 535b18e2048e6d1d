package audio

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func TestTalk(t *testing.T) {
	for _, f := range []*mediav1.AudioFormat{raw(pcm.S16LE, 44100, 2), raw(pcm.F32LE, 48000, 1), raw(pcm.S16LE, 8000, 1)} {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			w := start(t, small())
			data := sine(1000, f, 600*time.Millisecond)
			half := len(data) / 2 / 8 * 8 // whole samples
			r, err := w.say(&mediav1.AudioFrame{Format: f, Data: data[:half]}, &mediav1.AudioFrame{Data: data[half:]})
			if err != nil || (r.GetPlayed().AsDuration()-600*time.Millisecond).Abs() > 20*time.Millisecond {
				t.Fatalf("played %v, %v; want 600ms", r.GetPlayed().AsDuration(), err)
			}
			heard := w.card.played()
			if len(heard) < 48000/2 {
				t.Fatalf("%d samples heard", len(heard))
			}
			checkTone(t, "speaker", heard[4800:24000], 48000, 1000, -6)
		})
	}
}

// The speaker's tap hears what is played.
func TestListenToTheSpeaker(t *testing.T) {
	w := start(t, small())
	got := w.sayAndHear()
	for range 5 {
		if len(tonetest.Of(got, 48000).Gaps) > 0 { // as a busy machine makes them
			got = w.sayAndHear()
		}
	}
	checkTone(t, "tap", got, 48000, 700, -6)
}

// sayAndHear plays a tone and returns what the speaker's tap has of it, without its beginning.
func (w *world) sayAndHear() []float32 {
	t := w.t
	t.Helper()
	s := w.listen(&audiov1.StreamAudioRequest{Format: raw(pcm.F32LE, 48000, 1), Tap: audiov1.AudioTap_AUDIO_TAP_SPEAKER})
	f := raw(pcm.S16LE, 48000, 1)
	w.hear(s, 50*time.Millisecond) // it runs
	if _, err := w.say(&mediav1.AudioFrame{Format: f, Data: sine(700, f, time.Second)}); err != nil {
		t.Fatal(err)
	}
	var got []float32
	for len(got) < 24000 {
		for _, x := range w.hear(s, 10*time.Millisecond) {
			if len(got) > 0 || x > 0.1 {
				got = append(got, x)
			}
		}
	}
	return got[2400:24000]
}

func TestBadTalkers(t *testing.T) {
	w := start(t, small())
	f := raw(pcm.S16LE, 48000, 2)
	opus := &mediav1.AudioFormat{MediaType: pcm.Opus, SampleRateHz: 48000, Channels: 1}
	for name, test := range map[string]struct {
		frame *mediav1.AudioFrame
		says  string
	}{
		"nothing":       {nil, "frame is missing"},
		"no format":     {&mediav1.AudioFrame{Data: make([]byte, 4)}, "format"},
		"media type":    {&mediav1.AudioFrame{Format: &mediav1.AudioFormat{MediaType: "audio/aac"}}, "media_type"},
		"half a sample": {&mediav1.AudioFrame{Format: f, Data: make([]byte, 5)}, "data has 5 bytes, must be a multiple of 4"},
		"wrong count": {&mediav1.AudioFrame{Format: f, Data: make([]byte, 8), SampleCount: 3},
			"sample_count is 3, but data holds 2"},
		"garbage": {&mediav1.AudioFrame{Format: opus, Data: []byte("\xffthis is no Opus at all")},
			"not an Opus packet"},
		"long name": {&mediav1.AudioFrame{Format: f, Talker: strings.Repeat("x", 129)},
			"talker has 129 bytes, must be at most 128"},
		"hidden name": {&mediav1.AudioFrame{Format: f, Talker: "x\x1b[31my"}, "use printable characters only"},
	} {
		if _, err := w.say(test.frame); status.Code(err) != codes.InvalidArgument ||
			!strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want InvalidArgument with %q", name, err, test.says)
		}
	}
	if r, err := w.say(); err != nil || r.GetPlayed().AsDuration() != 0 {
		t.Errorf("saying nothing: %v, %v", r, err)
	}
}

// Samples that are not numbers, or far too loud, are harmless.
func TestHarmfulSamples(t *testing.T) {
	w := start(t, small())
	f := raw(pcm.F32LE, 48000, 1)
	var data []byte
	for range 4800 {
		data = append(data, floats(float32(math.NaN()), float32(math.Inf(1)), 0.5, 1e30, float32(math.Inf(-1)), -1e30)...)
	}
	if _, err := w.say(&mediav1.AudioFrame{Format: f, Data: data}); err != nil {
		t.Fatal(err)
	}
	heard := w.card.played()
	if len(heard) == 0 {
		t.Fatal("nothing was heard")
	}
	for i, s := range heard {
		if !(s >= -1 && s <= 1) {
			t.Fatalf("sample %d is %v", i, s)
		}
	}
}

// Ten may talk at once; the eleventh is refused until one of them has finished.
func TestElevenTalkers(t *testing.T) {
	w := start(t, small())
	f := raw(pcm.S16LE, 48000, 1)
	var calls []audiov1.AudioService_PlayAudioClient
	for i := range 10 {
		s := w.talk()
		frame := &mediav1.AudioFrame{Format: f, Data: sine(300+100*float64(i), f, 100*time.Millisecond),
			Talker: fmt.Sprintf("talker %d", i)}
		if err := s.Send(&audiov1.PlayAudioRequest{Frame: frame}); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, s)
	}
	w.await("ten talk", func() bool { return w.metric("waldo_audio_talkers") == 10 })
	_, err := w.say(&mediav1.AudioFrame{Format: f, Data: make([]byte, 2)})
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "too many talk") {
		t.Errorf("the eleventh got %v, want ResourceExhausted", err)
	}
	if n := w.metric(`waldo_audio_talkers_refused_total{reason="too_many"}`); n != 1 {
		t.Errorf("%v refused, want 1", n)
	}
	for _, s := range calls {
		if _, err := s.CloseAndRecv(); err != nil {
			t.Error(err)
		}
	}
	w.await("room", func() bool { return w.metric("waldo_audio_talkers") < 10 })
	if _, err := w.say(&mediav1.AudioFrame{Format: f, Data: make([]byte, 2)}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestTalkerThatNeverStops(t *testing.T) {
	c := small()
	c.MaxTalk = time.Second
	w := start(t, c)
	f := raw(pcm.S16LE, 48000, 1)
	s := w.talk()
	frame := &mediav1.AudioFrame{Format: f, Data: sine(440, f, 100*time.Millisecond)}
	sent := 0
	for ; sent < 1000 && s.Send(&audiov1.PlayAudioRequest{Frame: frame}) == nil; sent++ { // held up as it is played
	}
	err := s.RecvMsg(&audiov1.PlayAudioResponse{})
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "too long") {
		t.Errorf("after %d frames of 100 ms: %v, want ResourceExhausted", sent, err)
	}
	w.card.played()
	if _, err := w.say(frame); err != nil {
		t.Errorf("another one: %v", err)
	}
}
