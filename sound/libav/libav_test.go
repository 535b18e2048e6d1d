//go:build cgo && !nolibav

package libav

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// frame is how many samples of each channel a block of AAC stands for.
const frame = 1024

// isTone fails unless samples are [sine], pure and without gaps.
func isTone(t *testing.T, samples []float32, rate int, purity float64) {
	t.Helper()
	m := tonetest.Of(samples, rate)
	if math.Abs(m.Hz-440) > 1 || math.Abs(m.Level+12) > 1 || m.Pure < purity || len(m.Gaps) > 0 {
		t.Errorf("heard %+v, want 440 Hz at -12 dBFS, pure and without gaps", m)
	}
}

// loudest is where the highest sample is.
func loudest(samples []float32) (at int) {
	for i, s := range samples {
		if s > samples[at] {
			at = i
		}
	}
	return at
}

func TestAAC(t *testing.T) {
	for _, f := range []pcm.Format{
		{Rate: 8000, Channels: 1}, {Rate: 11025, Channels: 1}, {Rate: 12000, Channels: 2}, {Rate: 16000, Channels: 1},
		{Rate: 16000, Channels: 2}, {Rate: 22050, Channels: 1}, {Rate: 24000, Channels: 1}, {Rate: 32000, Channels: 2},
		{Rate: 44100, Channels: 2}, {Rate: 48000, Channels: 1}, {Rate: 48000, Channels: 2}, {Rate: 96000, Channels: 1},
	} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			c := encodeAAC(t, sine(f, f.Rate), f)
			samples, got := all(t, newAAC(t, c.config), c.blocks)
			if got != f || len(samples) != len(c.blocks)*frame {
				t.Fatalf("%d samples, %v of %d blocks", len(samples), got, len(c.blocks))
			}
			isTone(t, samples[2*frame:f.Rate], f.Rate, 0.98)
		})
	}
}

// click is a second of silence with a click after half of it.
func click(f pcm.Format) []float32 {
	samples := make([]float32, f.Rate*f.Channels)
	samples[f.Rate/2*f.Channels] = 1
	return samples
}

// The first sample of a block has the block's time.
func TestThereIsNoDelay(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100, 48000} {
		f := pcm.Format{Rate: rate, Channels: 1}
		c := encodeAAC(t, click(f), f)
		samples, _ := all(t, newAAC(t, c.config), c.blocks)
		if off := f.Duration(int64(loudest(samples) - frame - rate/2)); off.Abs() > 500*time.Microsecond {
			t.Errorf("%d Hz: the click is off by %v", rate, off)
		}
	}
}

// described describes blocks of AAC-LC of 24 kHz, mono, as HE-AAC: the rate becomes twice as high. Without the data
// that describes the treble, there is none.
var described = []byte{0b00101_011, 0b0_0001_001, 0b1_00010_00, 0b0_0000000}

func TestHighEfficiency(t *testing.T) {
	from, to := pcm.Format{Rate: 24000, Channels: 1}, pcm.Format{Rate: 48000, Channels: 1}
	c := encodeAAC(t, sine(from, from.Rate), from)
	samples, got := all(t, newAAC(t, described), c.blocks)
	if got.Rate != to.Rate || len(samples) != 2*frame*len(c.blocks) {
		t.Fatalf("%d samples, %v of %d blocks", len(samples), got, len(c.blocks))
	}
	isTone(t, samples[4*frame:to.Rate], to.Rate, 0.98)
	clicks := encodeAAC(t, click(from), from).blocks
	samples, _ = all(t, newAAC(t, described), clicks)
	last, err := newAAC(t, described).Decode(clicks[1])
	if err != nil {
		t.Fatal(err)
	}
	off := to.Duration(int64(loudest(samples)-2*frame-to.Rate/2)) - last.Late
	if off.Abs() > 500*time.Microsecond || last.Late < 15*time.Millisecond {
		t.Errorf("the click is off by %v, of %v that are said", off, last.Late)
	}
}

func TestG726(t *testing.T) {
	f := pcm.Format{Rate: 8000, Channels: 1}
	for bits, purity := range map[int]float64{2: 0.9, 3: 0.97, 4: 0.98, 5: 0.98} {
		for order, name := range map[Order]string{LowFirst: "g726le", HighFirst: "g726"} {
			t.Run(fmt.Sprint(name, " ", bits, " bits"), func(t *testing.T) {
				t.Parallel()
				data := encode(t, sine(f, f.Rate), f, "-c:a", name, "-code_size", fmt.Sprint(bits), "-f", name)
				d, err := NewG726(f.Rate, bits, order)
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				var blocks [][]byte
				for size := 20 * bits; len(data) >= size; data = data[size:] { // 20 ms
					blocks = append(blocks, data[:size])
				}
				samples, got := all(t, d, blocks)
				if got != f || len(samples) != len(blocks)*160 || len(blocks) != 50 {
					t.Fatalf("%d samples, %v of %d blocks", len(samples), got, len(blocks))
				}
				isTone(t, samples[800:], f.Rate, purity)
			})
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	c := open(t, "mono.aac")
	for name, config := range map[string][]byte{
		"none": nil, "one byte": {0x14}, "long": make([]byte, 65), "all ones": {255, 255, 255, 255}, "no object": {0, 0},
	} {
		if _, err := NewAAC(config); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a configuration, %s: %v", name, err)
		}
	}
	for _, bits := range []int{-1, 0, 1, 6} {
		if _, err := NewG726(8000, bits, LowFirst); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
	if _, err := NewG726(0, 4, LowFirst); !errors.Is(err, ErrCorrupt) {
		t.Errorf("0 Hz: %v", err)
	}
	d := newAAC(t, c.config)
	for name, data := range map[string][]byte{
		"nothing": nil, "long": make([]byte, maxBlock+1), "garbage": bytes.Repeat([]byte{0xa5}, 100), "half": c.blocks[3][:9],
	} {
		s, err := d.Decode(data)
		if !errors.Is(err, ErrCorrupt) || s.Samples != nil {
			t.Errorf("%s: %d samples, %v", name, len(s.Samples), err)
		}
		if s, err := d.Decode(c.blocks[3]); err != nil || len(s.Samples) != frame {
			t.Errorf("a good block after %s: %d samples, %v", name, len(s.Samples), err)
		}
	}
	_ = d.Close()
	if _, err := d.Decode(c.blocks[3]); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestMoreThanStereo(t *testing.T) {
	f := pcm.Format{Rate: 48000, Channels: 6}
	c := encodeAAC(t, sine(f, f.Rate/10), f)
	if _, err := newAAC(t, c.config).Decode(c.blocks[1]); err == nil || !strings.Contains(err.Error(), "6 channels") {
		t.Errorf("got %v", err)
	}
}

// What was before a loss is not heard after it.
func TestReset(t *testing.T) {
	f := pcm.Format{Rate: 16000, Channels: 1}
	silence := encodeAAC(t, make([]float32, f.Rate/2), f).blocks
	c := open(t, "mono.aac")
	d := newAAC(t, c.config)
	all(t, d, c.blocks[:6]) // in the middle of the tone
	if samples, _ := all(t, d, silence[2:3]); loudness(samples) < 0.01 {
		t.Errorf("the end of the tone is %v loud: the blocks do not overlap", loudness(samples))
	}
	all(t, d, c.blocks[:6]) // in the middle of the tone
	d.Reset()
	if samples, _ := all(t, d, silence[2:3]); loudness(samples) > 0.001 {
		t.Errorf("after Reset something is %v loud", loudness(samples))
	}
}

func loudness(samples []float32) (peak float64) {
	for _, s := range samples {
		peak = max(peak, math.Abs(float64(s)))
	}
	return peak
}

// resident is the memory of this process, in bytes.
func resident(t *testing.T) (bytes int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("SKIPPED: this system does not tell how much memory a process has:", err)
	}
	var size int
	if _, err := fmt.Sscan(string(status), &size, &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes * os.Getpagesize()
}

// Decoders that come and go, and broken blocks, leave no memory behind.
func TestMemoryStays(t *testing.T) {
	c := open(t, "stereo.aac")
	round := func(n int) {
		for range n {
			d := newAAC(t, c.config)
			for i, b := range c.blocks {
				if i%5 == 0 {
					b = b[:len(b)/2]
				}
				_, _ = d.Decode(b)
			}
			_ = d.Close()
		}
	}
	round(20)
	before := resident(t)
	round(200)
	if grown := resident(t) - before; grown > 8<<20 {
		t.Errorf("%d bytes more", grown)
	}
}
