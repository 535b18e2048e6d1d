package samplerate

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
)

// sine is a second of it at a rate, on all channels.
func sine(hz float64, rate, channels int) []float32 {
	s := make([]float32, rate*channels)
	for i := range s {
		s[i] = float32(0.5 * math.Sin(2*math.Pi*hz*float64(i/channels)/float64(rate)))
	}
	return s
}

// convert brings samples through a converter in pieces, to the end.
func convert(t testing.TB, c *Converter, in []float32, ratio float64, piece, room int) (all []float32) {
	t.Helper()
	out := make([]float32, room*c.channels)
	for end := false; ; {
		part := in[:min(len(in), piece*c.channels)]
		used, made, err := c.Process(part, out, ratio, end)
		if err != nil {
			t.Fatal(err)
		}
		if used > len(part) || made > len(out) || used%c.channels != 0 || made%c.channels != 0 {
			t.Fatalf("%d of %d samples read, %d of %d written", used, len(part), made, len(out))
		}
		in, all = in[used:], append(all, out[:made]...)
		if end && made == 0 {
			return all
		}
		end = len(in) == 0
	}
}

// TestRates converts a tone: as long, as loud and as high as before, whatever the pieces.
func TestRates(t *testing.T) {
	for _, quality := range []Quality{Fast, Medium, Best, Linear} {
		for _, rates := range [][2]int{{48000, 48000}, {8000, 48000}, {44100, 48000}, {48000, 44100}, {192000, 8000},
			{8000, 192000}} {
			for _, channels := range []int{1, 2} {
				if quality == Best && max(rates[0], rates[1]) > 48000 {
					continue // takes long
				}
				c, err := New(channels, quality)
				if err != nil {
					t.Fatal(err)
				}
				from, to := rates[0], rates[1]
				got := convert(t, c, sine(400, from, channels), float64(to)/float64(from), 100, 333)
				if n := len(got) / channels; n < to-8 || n > to+8 {
					t.Errorf("quality %d, %d to %d Hz, %d channels: a second became %d frames", quality, from, to, channels, n)
				}
				if snr := snr(got, 400, to, channels); snr < map[Quality]float64{Linear: 35}[quality] || quality != Linear &&
					snr < 80 {
					t.Errorf("quality %d, %d to %d Hz, %d channels: signal to noise %.0f dB", quality, from, to, channels, snr)
				}
				c.Close()
			}
		}
	}
}

// snr compares the middle of each channel with the sine of that pitch that fits best.
func snr(samples []float32, hz float64, rate, channels int) float64 {
	worst := math.Inf(1)
	first, last := rate/4, rate/4+rate/400*100 // a quarter of a second: whole periods
	for c := range channels {
		var sin, cos, power float64
		for i := first; i < last; i++ {
			s, w := float64(samples[i*channels+c]), 2*math.Pi*hz*float64(i)/float64(rate)
			sin, cos, power = sin+s*math.Sin(w), cos+s*math.Cos(w), power+s*s
		}
		n := float64(last - first)
		signal := 2 * (sin*sin + cos*cos) / n
		worst = min(worst, 10*math.Log10(signal/max(power-signal, 1e-15)))
	}
	return worst
}

// TestNothingIsLost counts what comes out of the filter: all that went in, when it was told that this was all.
func TestNothingIsLost(t *testing.T) {
	c, err := New(1, Fast)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 { // again after Reset
		for _, n := range []int{1, 80, 800} {
			if got := len(convert(t, c, make([]float32, n), 6, 30, 50)); got < 6*n-1 || got > 6*n+1 {
				t.Errorf("%d samples became %d, want %d", n, got, 6*n)
			}
			c.Reset()
		}
	}
}

// TestRatioChangesWithoutAClick changes the speed in the middle of a tone.
func TestRatioChangesWithoutAClick(t *testing.T) {
	c, err := New(1, Fast)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []float32
	out := make([]float32, 480)
	for in, i := sine(1000, 48000, 1), 0; len(in) > 480; i++ {
		used, made, err := c.Process(in[:480], out, 1+0.005*float64(i%3-1), false)
		if err != nil {
			t.Fatal(err)
		}
		in, all = in[used:], append(all, out[:made]...)
	}
	steepest := 0.0
	for i := 1000; i < len(all); i++ { // the tone begins with a corner
		steepest = max(steepest, math.Abs(float64(all[i]-2*all[i-1]+all[i-2])))
	}
	if want := 0.5 * math.Pow(2*math.Pi*1000/48000, 2); steepest > 1.03*want { // of the tone, up to 0.5 % higher
		t.Errorf("second difference %.5f, of the tone alone %.5f: a click", steepest, want)
	}
}

func TestBadInput(t *testing.T) {
	for _, channels := range []int{-1, 0, MaxChannels + 1} {
		if _, err := New(channels, Fast); err == nil {
			t.Errorf("%d channels are taken", channels)
		}
	}
	if _, err := New(1, Linear+1); err == nil {
		t.Error("an unknown quality is taken")
	}
	c, err := New(2, Fast)
	if err != nil {
		t.Fatal(err)
	}
	two := make([]float32, 2)
	for _, ratio := range []float64{0, -1, MinRatio / 2, MaxRatio * 2, math.NaN(), math.Inf(1)} {
		if _, _, err := c.Process(two, two, ratio, false); err == nil {
			t.Errorf("ratio %v is taken", ratio)
		}
	}
	if _, _, err := c.Process(two[:1], two, 1, false); err == nil {
		t.Error("half a frame is taken")
	}
	if _, _, err := c.Process(two, two[:1], 1, false); err == nil {
		t.Error("half a frame is made")
	}
	if used, made, err := c.Process(two, nil, 1, false); used != 0 || made != 0 || err != nil {
		t.Errorf("without room: %d, %d, %v", used, made, err)
	}
	if _, _, err := c.Process(nil, two, 1, false); err != nil {
		t.Errorf("without input: %v", err)
	}
	if same := make([]float32, 2); !errors.Is(c.Close(), nil) || c.Close() != nil || !slices.Equal(two, same) {
		t.Error("it cannot be closed twice")
	}
	if _, _, err := c.Process(two, two, 1, false); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	c.Reset()
}

func TestProcessAllocatesNothing(t *testing.T) {
	c, err := New(1, Fast)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in, out := sine(400, 48000, 1)[:480], make([]float32, 600)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = c.Process(in, out, 1.001, false) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestForgottenConverters are freed with the garbage, and Close keeps them from being freed twice, which would end the
// process.
func TestForgottenConverters(t *testing.T) {
	for i := range 200 {
		c, err := New(2, Fast)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			c.Close()
		}
		if i%50 == 0 {
			runtime.GC()
		}
	}
	runtime.GC()
}

func BenchmarkProcess(b *testing.B) {
	for name, quality := range map[string]Quality{"Fast": Fast, "Medium": Medium, "Best": Best, "Linear": Linear} {
		b.Run(name, func(b *testing.B) { // a second of mono sound at 48 kHz
			c, err := New(1, quality)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			second, out := sine(400, 48000, 1), make([]float32, 600)
			for b.Loop() {
				for in := second; len(in) >= 480; {
					used, _, err := c.Process(in[:480], out, 1.0001, false)
					if err != nil {
						b.Fatal(err)
					}
					in = in[used:]
				}
			}
		})
	}
}
