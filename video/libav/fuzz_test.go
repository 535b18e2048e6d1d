//go:build cgo && !nolibav

package libav

import (
	"bytes"
	"errors"
	"testing"
)

var fuzzed = []string{"b-frames.h264", "main.h265", "b-frames.m4v", "lossless.mjpeg"}

// FuzzDecode feeds a decoder two frames, as they would come to it from a stream that turns bad, and then a good key
// frame.
func FuzzDecode(f *testing.F) {
	for i := range fuzzed {
		c := open(f, fuzzed[i])
		a, b := c.frames[0].data, c.frames[1].data
		f.Add(byte(i), a, b)
		f.Add(byte(i), b, a)
		f.Add(byte(i), a[:len(a)/2], a[len(a)/3:])
		f.Add(byte(i), a, []byte{0, 0, 1})
	}
	for _, c := range clips(f) {
		for i := range fuzzed {
			if open(f, fuzzed[i]).mediaType == c.mediaType {
				f.Add(byte(i), c.frames[0].data, bytes.Join([][]byte{c.frames[1].data, c.frames[2].data}, nil))
			}
		}
	}
	var good []clip
	for _, name := range fuzzed {
		good = append(good, open(f, name))
	}
	f.Fuzz(func(t *testing.T, which byte, a, b []byte) {
		c := good[int(which)%len(good)]
		d := newDecoder(t, c.mediaType)
		d.pixels = 1 << 20
		for i, data := range [][]byte{a, b, a, b} {
			img, at, err := d.Decode(data, i%2 == 0, captured(i))
			fits := img == nil || err == nil && img.Validate() == nil && img.Width*img.Height <= 1<<20
			if !fits || img != nil && (at.Before(base) || at.After(captured(i))) {
				t.Errorf("picture %dx%d of %v with error %v", img.Width, img.Height, at, err)
			}
			if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNeedKey) {
				t.Error(err)
			}
		}
		shows := false
		for i := range 4 { // a stream with B frames may hold back some of what came before
			img, _, err := d.Decode(c.frames[0].data, true, captured(4+i))
			if err != nil && i > 0 {
				t.Errorf("a good key frame after bad ones: %v", err)
			}
			shows = shows || img != nil && img.Width == width
		}
		if !shows {
			t.Error("good key frames show nothing")
		}
	})
}
