//go:build cgo && !nolibav

package libav

import (
	"errors"
	"testing"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// check fails for anything that is not clean sound or a proper error.
func check(t *testing.T, sound Sound, err error) {
	t.Helper()
	samples, f := sound.Samples, sound.Format
	if err != nil && !errors.Is(err, ErrCorrupt) || err != nil && len(samples) > 0 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	if len(samples) > 0 &&
		(f.Rate < pcm.MinRate || f.Rate > pcm.MaxRate || f.Channels < 1 || f.Channels > pcm.MaxChannels ||
			len(samples)%f.Channels != 0) {
		t.Fatalf("%d samples, %+v", len(samples), f)
	}
	for _, s := range samples {
		if !(s >= -1 && s <= 1) {
			t.Fatalf("a sample is %v", s)
		}
	}
}

// FuzzAAC feeds two blocks to a decoder, and then good ones to one that has its configuration.
func FuzzAAC(f *testing.F) {
	good := open(f, "mono.aac")
	for _, name := range []string{"mono.aac", "stereo.aac"} {
		c := open(f, name)
		a, b := c.blocks[3], c.blocks[4]
		f.Add(c.config, a, b)
		f.Add(c.config, a[:len(a)/2], b)
		f.Add(described, a, b)
	}
	f.Fuzz(func(t *testing.T, config, a, b []byte) {
		if d, err := NewAAC(config); err == nil {
			defer d.Close()
			for range 2 {
				for _, data := range [][]byte{a, b} {
					s, err := d.Decode(data)
					if check(t, s, err); len(s.Samples) > 16*2048 {
						t.Fatalf("%d samples of a block", len(s.Samples))
					}
				}
			}
		}
		d := newAAC(t, good.config)
		for _, data := range [][]byte{a, b} {
			s, err := d.Decode(data)
			check(t, s, err)
		}
		d.Reset()
		if s, err := d.Decode(good.blocks[5]); err != nil || len(s.Samples) != frame {
			t.Errorf("a good block: %d samples, %v", len(s.Samples), err)
		}
	})
}

func FuzzG726(f *testing.F) {
	f.Add(8000, 4, true, []byte("some sound"))
	f.Add(16000, 2, false, []byte{0, 255})
	f.Fuzz(func(t *testing.T, rate, bits int, high bool, data []byte) {
		order := LowFirst
		if high {
			order = HighFirst
		}
		d, err := NewG726(rate, bits, order)
		if err != nil {
			t.Skip()
		}
		defer d.Close()
		for range 2 {
			s, err := d.Decode(data)
			if check(t, s, err); len(s.Samples) > 8*len(data)/bits {
				t.Fatalf("%d samples of %d bytes", len(s.Samples), len(data))
			}
		}
	})
}
