package pcm

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

func raw(sampleFormat string, rate, channels int32) *mediav1.AudioFormat {
	return &mediav1.AudioFormat{MediaType: Raw, SampleFormat: sampleFormat, SampleRateHz: rate, Channels: channels}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		format *mediav1.AudioFormat
		field  string // that is wrong; empty for none
	}{
		{raw(S16LE, 8000, 1), ""},
		{raw(F32LE, 192000, 2), ""},
		{&mediav1.AudioFormat{MediaType: Opus, SampleRateHz: 48000, Channels: 2}, ""},
		{nil, "media_type"},
		{&mediav1.AudioFormat{MediaType: "audio/mp3"}, "media_type"},
		{raw("S24LE", 48000, 1), "sample_format"},
		{raw(S16LE, 7999, 1), "sample_rate_hz"},
		{raw(S16LE, 192001, 1), "sample_rate_hz"},
		{raw(S16LE, 48000, 0), "channels"},
		{raw(S16LE, 48000, 3), "channels"},
		{&mediav1.AudioFormat{MediaType: Opus, SampleRateHz: 44100, Channels: 2}, "sample_rate_hz"},
		{&mediav1.AudioFormat{MediaType: Opus, SampleFormat: S16LE, SampleRateHz: 48000, Channels: 2}, "sample_format"},
	} {
		err := Validate(test.format)
		if test.field == "" && err != nil ||
			test.field != "" && (!errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.field)) {
			t.Errorf("%v: %v, want an error about %q", test.format, err, test.field)
		}
	}
}

// decodings feed the test and the fuzz target.
var decodings = []struct {
	format *mediav1.AudioFormat
	data   []byte
	count  int
	want   []float32 // nil for an error
}{
	{raw(S16LE, 48000, 1), []byte{0, 0x80, 0xff, 0x7f, 0, 0, 0, 0x40}, 4, []float32{-1, 32767.0 / 32768, 0, 0.5}},
	{raw(S16LE, 48000, 2), []byte{0, 0x80, 0xff, 0x7f}, 0, []float32{-1, 32767.0 / 32768}},
	{raw(F32LE, 48000, 1), []byte{0, 0, 0x80, 0x3f}, 0, []float32{1}},
	{raw(S16LE, 48000, 1), nil, 0, []float32{}},
	{raw(S16LE, 48000, 1), []byte{1, 2, 3}, 0, nil},
	{raw(S16LE, 48000, 2), []byte{1, 2}, 0, nil},
	{raw(F32LE, 48000, 1), []byte{1, 2}, 0, nil},
	{raw(S16LE, 48000, 1), []byte{1, 2}, 2, nil},
	{raw("", 48000, 1), []byte{1, 2}, 0, nil},
	{raw(S16LE, 48000, 1), []byte{1, 2}, -1, nil},
}

func TestDecode(t *testing.T) {
	for _, test := range decodings {
		got, err := Decode([]float32{}, test.format, test.data, test.count)
		if (test.want == nil) != errors.Is(err, ErrFormat) || err == nil && !slices.Equal(got, test.want) {
			t.Errorf("%v of %v, %d: %v, %v; want %v", test.format, test.data, test.count, got, err, test.want)
		}
	}
}

func TestDecodeTakesNoOpus(t *testing.T) {
	opus := &mediav1.AudioFormat{MediaType: Opus, SampleRateHz: OpusRate, Channels: 1}
	if _, err := Decode(nil, opus, []byte{1, 2}, 0); !errors.Is(err, ErrFormat) ||
		!strings.Contains(err.Error(), "media_type") {
		t.Error(err)
	}
}

func TestEncodeKeepsFloats(t *testing.T) {
	want := []float32{0, -0.25, 1, 1.5, float32(math.Inf(-1)), math.SmallestNonzeroFloat32}
	got, err := Decode([]float32{7}, raw(F32LE, 48000, 1), Encode(nil, F32LE, want), len(want))
	if err != nil || !slices.Equal(got, append([]float32{7}, want...)) {
		t.Errorf("%v, %v; want 7 and %v", got, err, want)
	}
}

func TestDecibels(t *testing.T) {
	for amplitude, want := range map[float64]float64{0: Silence, -1: Silence, 1e-9: Silence, 1: 0, 0.1: -20, 10: 20} {
		if got := Decibels(amplitude); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v is %v dBFS, want %v", amplitude, got, want)
		}
	}
}

// TestSharedByGoroutines is for the race detector: one plays, others set and look.
func TestSharedByGoroutines(t *testing.T) {
	var (
		v  Volume
		m  Meter
		wg sync.WaitGroup
	)
	for i := range 3 {
		wg.Go(func() {
			for range 1000 {
				v.Set(&audiov1.Volume{GainDb: float64(-i)})
				if g := v.Get().GetGainDb(); g > 0 || g < -2 {
					t.Errorf("it is set to %v", g)
				}
				m.Take()
			}
		})
	}
	block := make([]float32, 64)
	for range 1000 {
		v.Apply(block, 1)
		m.Add(block)
	}
	wg.Wait()
}

func FuzzDecode(f *testing.F) {
	for _, d := range decodings {
		f.Add(d.format.GetSampleFormat(), d.format.GetSampleRateHz(), d.format.GetChannels(), d.data, d.count)
	}
	f.Fuzz(func(t *testing.T, sampleFormat string, rate, channels int32, data []byte, count int) {
		samples, err := Decode(nil, raw(sampleFormat, rate, channels), data, count)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if sampleFormat == S16LE && !slices.Equal(Encode(nil, S16LE, samples), data) {
			t.Errorf("%v comes back as something else", data)
		}
		Clean(samples)
		for _, s := range samples {
			if !(s >= -1 && s <= 1) {
				t.Fatalf("%v is left", s)
			}
		}
	})
}

func TestFullScaleNeverWraps(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	samples := []float32{1, -1, 1.0001, -1.0001, 1e30, -1e30, nan, inf, -inf, 0.5}
	for i, b := 0, Encode(nil, S16LE, samples[:6]); i < len(b); i += 2 {
		if v := int16(uint16(b[i]) | uint16(b[i+1])<<8); (v < 0) != (samples[i/2] < 0) {
			t.Errorf("%v became %d", samples[i/2], v)
		}
	}
	if got := Encode(nil, S16LE, []float32{nan, inf, -inf}); !slices.Equal(got, []byte{0, 0, 0xff, 0x7f, 0, 0x80}) {
		t.Errorf("NaN and infinity became %v", got)
	}
	invalid, clipped := Clean(samples)
	want := []float32{1, -1, 1, -1, 1, -1, 0, 0, 0, 0.5}
	if !slices.Equal(samples, want) || invalid != 3 || clipped != 4 {
		t.Errorf("%v, %d invalid, %d clipped; want %v, 3, 4", samples, invalid, clipped, want)
	}
}

func TestMix(t *testing.T) {
	for _, test := range []struct {
		from, to  int
		src, want []float32
	}{
		{1, 1, []float32{1, 2}, []float32{1, 2}},
		{1, 2, []float32{1, 2}, []float32{1, 1, 2, 2}},
		{2, 1, []float32{1, 0, 0.5, -0.5}, []float32{0.5, 0}},
		{2, 2, []float32{1, 0}, []float32{1, 0}},
	} {
		if got := Mix(nil, test.src, test.from, test.to); !slices.Equal(got, test.want) {
			t.Errorf("%v from %d to %d channels: %v, want %v", test.src, test.from, test.to, got, test.want)
		}
	}
}

func TestMeter(t *testing.T) {
	var m Meter
	if l := m.Take(); l.GetRmsDbfs() != Silence || l.GetPeakDbfs() != Silence {
		t.Errorf("nothing is %v", l)
	}
	for i := range 48000 {
		m.Add([]float32{float32(0.1 * math.Sin(2*math.Pi*float64(i)/48))})
	}
	if l := m.Take(); math.Abs(l.GetRmsDbfs()+20) > 0.01 || math.Abs(l.GetPeakDbfs()+20) > 0.01 {
		t.Errorf("a sine at a tenth of full scale is %v", l)
	}
	if l := m.Take(); l.GetRmsDbfs() != Silence {
		t.Errorf("it remembers: %v", l)
	}
}

func TestVolumeChangesWithoutAClick(t *testing.T) {
	var v Volume
	block := func() []float32 {
		b := []float32{0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}
		v.Apply(b, 2)
		return b
	}
	expect := func(what string, want ...float32) {
		t.Helper()
		for i, got := range block() {
			if math.Abs(float64(got-want[i/2])) > 1e-5 {
				t.Errorf("%s: sample %d is %v, want %v", what, i, got, want[i/2])
			}
		}
	}
	expect("untouched", 0.5, 0.5, 0.5, 0.5)
	v.Set(&audiov1.Volume{Muted: true, GainDb: 20})
	expect("muting", 0.375, 0.25, 0.125, 0)
	expect("muted", 0, 0, 0, 0)
	v.Set(&audiov1.Volume{GainDb: 20 * math.Log10(2)})
	expect("louder", 0.25, 0.5, 0.75, 1)
	expect("loud", 1, 1, 1, 1)
	if g := v.Get(); g.GetMuted() || math.Abs(g.GetGainDb()-6.02) > 0.01 {
		t.Errorf("it says %v", g)
	}
}

func TestFormat(t *testing.T) {
	f := Format{Rate: 44100, Channels: 2}
	if n := f.Frames(10 * time.Millisecond); n != 441 {
		t.Errorf("10 ms are %d frames", n)
	}
	if n := f.Frames(24 * time.Hour * 365); n != 44100*3600*24*365 {
		t.Errorf("a year is %d frames", n)
	}
	if s := f.String() + ", " + (Format{Rate: 8000, Channels: 1}).String(); s != "44100 Hz stereo, 8000 Hz mono" {
		t.Error(s)
	}
	if d := f.Duration(44100*3600*24*365 + 441); d != 365*24*time.Hour+10*time.Millisecond {
		t.Errorf("a year is %v", d)
	}
}
