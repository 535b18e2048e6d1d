package capture

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gopkg.in/hraban/opus.v2"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// However many listen, each 20 ms are encoded once.
func TestEncodedOnce(t *testing.T) {
	for _, listeners := range []int{1, 10} {
		inBubble(t, Config{}, func(r *rig) {
			var all []*Reader
			for range listeners {
				all = append(all, r.listen(nil, 0))
			}
			r.say(40)
			first := r.waiting(all[0])
			if len(first) != 20 {
				t.Fatalf("%d frames of 400 ms, want 20", len(first))
			}
			for _, other := range all[1:] {
				for i, f := range r.waiting(other) {
					if f != first[i] {
						t.Fatalf("frame %d is another for another listener", i)
					}
				}
			}
			if made := r.metric("waldo_audio_frames_total", pcm.Opus, "microphone"); made != 20 {
				t.Errorf("%v frames made for %d listeners, want 20", made, listeners)
			}
			if taken := r.metric("waldo_audio_make_seconds", pcm.Opus, "microphone"); taken != 40 {
				t.Errorf("%v blocks converted for %d listeners, want 40", taken, listeners)
			}
			for _, one := range all {
				one.Close()
			}
		})
	}
}

// Who never reads loses the oldest, which is counted, and harms nobody.
func TestListenerThatNeverReads(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		lazy, eager := r.listen(nil, 0), r.listen(nil, 0)
		got := 0
		for range 20 {
			r.say(10)
			got += len(r.waiting(eager))
		}
		if got != 100 || eager.Dropped() != 0 {
			t.Errorf("the one who reads got %d frames and lost %d, want 100 and 0", got, eager.Dropped())
		}
		if lazy.Dropped() != 75 {
			t.Errorf("the one who does not lost %d, want all but half a second, 75", lazy.Dropped())
		}
		rest := r.waiting(lazy)
		if len(rest) != 25 || rest[0].GetSequence() != 75 || rest[24].GetSequence() != 99 {
			t.Errorf("%d frames waited, from %d, want the newest 25", len(rest), rest[0].GetSequence())
		}
		lazy.Close()
		eager.Close()
		if n := r.metric("waldo_audio_dropped_total", dropSlowReader, "microphone"); n != 75 {
			t.Errorf("%v counted, want 75", n)
		}
	})
}

func TestFormats(t *testing.T) {
	for _, from := range []pcm.Format{standard, {Rate: 44100, Channels: 2}} {
		for _, test := range []struct {
			rate, channels int32
			sample         string
			block, want    int // 0 means as captured
		}{
			{0, 0, "", 0, from.Rate / 100}, {16000, 1, pcm.S16LE, 0, 160}, {16000, 1, pcm.F32LE, 333, 333},
			{8000, 2, pcm.S16LE, 1, 1},
			{48000, 2, pcm.F32LE, 480, 480}, {44100, 1, pcm.S16LE, 4410, 4410}, {96000, 1, pcm.F32LE, 1000, 1000},
		} {
			wanted := &mediav1.AudioFormat{MediaType: pcm.Raw, SampleFormat: test.sample, SampleRateHz: test.rate,
				Channels: test.channels}
			inBubble(t, Config{Format: from}, func(r *rig) {
				reader := r.listen(wanted, test.block)
				defer reader.Close()
				var frames []*mediav1.AudioFrame
				for range 60 {
					r.say(1)
					frames = append(frames, r.waiting(reader)...)
				}
				checkRaw(t, frames, test.want)
			})
		}
	}
}

// checkRaw checks that frames hold the tone, one after the other.
func checkRaw(t *testing.T, frames []*mediav1.AudioFrame, block int) {
	t.Helper()
	var samples []float32
	for i, f := range frames {
		if f.GetEpoch() != 7 || f.GetSequence() != int64(i) || f.GetSampleCount() != int32(block) ||
			i > 0 && f.GetSampleIndex() != frames[i-1].GetSampleIndex()+int64(block) {
			t.Fatalf("%v: frame %d: epoch %d, sequence %d, %d samples from %d", f.GetFormat(), i, f.GetEpoch(), f.GetSequence(),
				f.GetSampleCount(), f.GetSampleIndex())
		}
		var err error
		if samples, err = pcm.Decode(samples, f.GetFormat(), f.GetData(), block); err != nil {
			t.Fatal(err)
		}
	}
	checkTone(t, frames, samples)
}

func checkTone(t *testing.T, frames []*mediav1.AudioFrame, samples []float32) {
	t.Helper()
	f := frames[0].GetFormat()
	rate := int(f.GetSampleRateHz())
	mono := pcm.Mix(nil, samples, int(f.GetChannels()), 1)
	if len(mono) < rate/2 {
		t.Fatalf("%v: %d samples of 0.6 s", f, len(mono))
	}
	m := tonetest.Of(mono[rate/10:], rate) // codecs and filters take a moment
	if math.Abs(m.Hz-1000) > 1 || math.Abs(m.Level+12.04) > 0.5 || m.Pure < 0.98 || len(m.Gaps) > 0 {
		t.Errorf("%v: %+v, want a tone of 1000 Hz at -12 dBFS", f, m)
	}
}

func TestOpusDecodes(t *testing.T) {
	for _, packet := range []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond} {
		for _, from := range []pcm.Format{standard, {Rate: 44100, Channels: 2}, {Rate: 8000, Channels: 1}} {
			inBubble(t, Config{Format: from, Opus: Opus{Packet: packet, Bitrate: 64000}}, func(r *rig) {
				reader := r.listen(nil, 0)
				defer reader.Close()
				var frames []*mediav1.AudioFrame
				for range 60 {
					r.say(1)
					frames = append(frames, r.waiting(reader)...)
				}
				decoder, err := opus.NewDecoder(pcm.OpusRate, from.Channels)
				if err != nil {
					t.Fatal(err)
				}
				var samples []float32
				for _, f := range frames {
					out := make([]float32, 5760*from.Channels)
					n, err := decoder.DecodeFloat32(f.GetData(), out)
					if err != nil || n != int(f.GetSampleCount()) || n != int(packet*pcm.OpusRate/time.Second) {
						t.Fatalf("a packet of %d samples, %v; want %v", n, err, packet)
					}
					samples = append(samples, out[:n*from.Channels]...)
				}
				checkTone(t, frames, samples)
			})
		}
	}
}

// The microphone runs while somebody listens, and not a moment longer.
func TestRunsWhileSomebodyListens(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		check := func(when string, want bool) {
			t.Helper()
			synctest.Wait()
			if r.mic.running.Load() != want {
				t.Errorf("%s: the microphone runs: %v, want %v", when, !want, want)
			}
		}
		check("at first", false)
		for range 3 {
			one := r.listen(nil, 0)
			check("with a listener", true)
			release := r.Want()
			other := r.listen(&mediav1.AudioFormat{MediaType: pcm.Raw}, 0)
			one.Close()
			check("with another", true)
			other.Close()
			check("for the meter", true)
			release()
			release()
			check("with nobody", false)
		}
	})
}

// The card goes and comes: listeners stay, numbers go on, and the time in between is left out.
func TestCardAwayAndBack(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		opusReader, raw := r.listen(nil, 0), r.listen(&mediav1.AudioFormat{MediaType: pcm.Raw}, 0)
		defer opusReader.Close()
		defer raw.Close()
		r.say(10)
		r.fail()
		time.Sleep(time.Second)
		before, rawBefore := r.waiting(opusReader), r.waiting(raw)
		r.plug()
		r.say(10)
		for name, pair := range map[string][2][]*mediav1.AudioFrame{
			"opus": {before, r.waiting(opusReader)}, "raw": {rawBefore, r.waiting(raw)},
		} {
			if len(pair[0]) == 0 || len(pair[1]) == 0 {
				t.Fatalf("%s: %d frames before, %d afterwards", name, len(pair[0]), len(pair[1]))
			}
			last, next := pair[0][len(pair[0])-1], pair[1][0]
			if next.GetSequence() != last.GetSequence()+1 || next.GetEpoch() != last.GetEpoch() {
				t.Errorf("%s: frame %d came after %d", name, next.GetSequence(), last.GetSequence())
			}
			if away := next.GetSampleIndex() - last.GetSampleIndex(); away < 48000 || away > 60000 {
				t.Errorf("%s: the sample index went on by %d, want a second", name, away)
			}
		}
	})
}

func TestBadFormats(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		for _, test := range []struct {
			format *mediav1.AudioFormat
			block  int
			says   string
		}{
			{&mediav1.AudioFormat{MediaType: "audio/mp3"}, 0, `media_type is "audio/mp3", must be audio/opus or audio/raw`},
			{&mediav1.AudioFormat{MediaType: pcm.Raw, SampleFormat: "U8"}, 0, `sample_format is "U8", must be S16LE or F32LE`},
			{&mediav1.AudioFormat{MediaType: pcm.Raw, SampleRateHz: 7999}, 0, "sample_rate_hz is 7999, must be 8000 to 192000"},
			{&mediav1.AudioFormat{MediaType: pcm.Raw, SampleRateHz: -1}, 0, "sample_rate_hz is -1, must be 8000 to 192000"},
			{&mediav1.AudioFormat{MediaType: pcm.Raw, Channels: 3}, 0, "channels is 3, must be 1 or 2"},
			{&mediav1.AudioFormat{SampleRateHz: 16000}, 0, "sample_rate_hz is 16000, must be 48000 for audio/opus"},
			{&mediav1.AudioFormat{SampleFormat: pcm.S16LE}, 0, `sample_format is "S16LE", must be empty for audio/opus`},
			{&mediav1.AudioFormat{MediaType: pcm.Raw}, -1, "block_samples is -1, must be 0 (as captured) to 48000"},
			{&mediav1.AudioFormat{MediaType: pcm.Raw}, 48001, "block_samples is 48001, must be 0 (as captured) to 48000"},
		} {
			_, err := r.Open(test.format, test.block)
			if !errors.Is(err, pcm.ErrFormat) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v: %v, want %s", test.format, err, test.says)
			}
		}
	})
}

func TestTooManyFormats(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		for i := range maxVariants {
			defer r.listen(&mediav1.AudioFormat{MediaType: pcm.Raw}, i+1).Close()
		}
		if _, err := r.Open(nil, 0); !errors.Is(err, ErrTooMany) {
			t.Errorf("one more: %v, want ErrTooMany", err)
		}
		r.listen(&mediav1.AudioFormat{MediaType: pcm.Raw}, 1).Close() // another of those there are
	})
}

// Whatever a driver delivers, listeners get numbers from -1 to 1.
func TestHarmful(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		reader := r.listen(&mediav1.AudioFormat{MediaType: pcm.Raw, SampleFormat: pcm.F32LE}, 6)
		defer reader.Close()
		inf := float32(math.Inf(1))
		r.sayThis([]float32{0.5, float32(math.NaN()), inf, -inf, 7, -7})
		f := r.waiting(reader)[0]
		got, err := pcm.Decode(nil, f.GetFormat(), f.GetData(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []float32{0.5, 0, 0, 0, 1, -1} {
			if got[i] != want {
				t.Errorf("sample %d is %v, want %v", i, got[i], want)
			}
		}
		if invalid, clipped := r.metric("waldo_audio_repaired_samples_total", "invalid", "microphone"),
			r.metric("waldo_audio_repaired_samples_total", "clipped", "microphone"); invalid != 3 || clipped != 2 {
			t.Errorf("%v invalid and %v clipped, want 3 and 2", invalid, clipped)
		}
	})
}

func TestCloseEndsListeners(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		reader := r.listen(nil, 0)
		defer reader.Close()
		if err := r.unplug(); err != nil {
			t.Errorf("Run: %v", err)
		}
		r.Close()
		r.ended <- nil // for the rig, which unplugs once more
		if _, err := reader.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("a listener got %v, want io.EOF", err)
		}
		if _, err := r.Open(nil, 0); !errors.Is(err, device.ErrStopping) {
			t.Errorf("a new one got %v, want device.ErrStopping", err)
		}
	})
}

// The live format goes on counting where it stopped when the last listener had left: on the bus a gap would be a loss.
func TestLiveSequenceGoesOn(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		next := int64(0)
		for range 3 {
			reader := r.listen(nil, 0)
			r.say(10)
			for _, f := range r.waiting(reader) {
				if f.GetSequence() != next {
					t.Errorf("frame %d, want %d", f.GetSequence(), next)
				}
				next++
			}
			reader.Close()
			time.Sleep(time.Second)
		}
		if next < 12 {
			t.Errorf("%d frames in all", next)
		}
	})
}

// What is played is heard while somebody listens, and putting it there costs no memory.
func TestTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap := NewTap(4)
		tap.Put([]float32{1, 2}) // nobody listens
		ctx, cancel := context.WithCancel(t.Context())
		heard, ended := make(chan float32, 10), make(chan error, 1)
		go func() {
			ended <- tap.Capture(ctx, func(samples []float32, _ time.Time) { heard <- samples[0] })
		}()
		synctest.Wait()
		tap.Put([]float32{3, 4})
		if got := <-heard; got != 3 {
			t.Errorf("heard %v, want 3", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		tap.Put([]float32{5, 6})
		if len(heard) != 0 {
			t.Error("heard after the end")
		}
		tap.on.Store(true)
		if n := testing.AllocsPerRun(100, func() { tap.Put([]float32{7, 8}) }); n != 0 {
			t.Errorf("%v allocations to put", n)
		}
		if tap.Lost() == 0 {
			t.Error("losses are not counted")
		}
	})
}
