//go:build cgo && !nolibav

package libav

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

// like fails if a picture does not show what the clip's picture i shows.
func like(t *testing.T, c *clip, i int, p picture) {
	t.Helper()
	if p.err != nil {
		t.Errorf("%s: after frame %d: %v", c.name, p.at, p.err)
		return
	}
	y, u, v := yuvtest.PSNR(shown(i), p.I420)
	if y < 36 || min(u, v) < c.least() {
		t.Errorf("%s: picture %d comes out at %.1f, %.1f and %.1f dB", c.name, i, y, u, v)
	}
	if !p.time.Equal(captured(i)) {
		t.Errorf("%s: picture %d was captured at %v, want %v", c.name, i, p.time.Sub(base), captured(i).Sub(base))
	}
}

func TestEachClipInOrderAndInTime(t *testing.T) {
	for _, c := range clips(t) {
		t.Run(c.name, func(t *testing.T) {
			got := play(newDecoder(t, c.mediaType), c.frames)
			if len(got) < count-c.delay() || len(got) > count {
				t.Fatalf("%d pictures, want at least %d of %d", len(got), count-c.delay(), count)
			}
			for i, p := range got {
				like(t, &c, i, p)
				if p.at > i+c.delay() {
					t.Errorf("picture %d comes after frame %d", i, p.at)
				}
			}
		})
	}
}

func TestGreyHasNoColour(t *testing.T) {
	c := open(t, "grey.h264")
	for _, p := range play(newDecoder(t, c.mediaType), c.frames) {
		if p.err != nil || bytes.Count(p.U, []byte{128}) != len(p.U) || bytes.Count(p.V, []byte{128}) != len(p.V) {
			t.Fatalf("after frame %d: colours, or %v", p.at, p.err)
		}
	}
}

func TestAKeyFrameIsWaitedFor(t *testing.T) {
	for _, c := range clips(t) {
		if c.mediaType == media.JPEG || c.delay() > 0 {
			continue
		}
		got := play(newDecoder(t, c.mediaType), c.frames[3:])
		if len(got) != count-3 {
			t.Fatalf("%s: %d results, want %d", c.name, len(got), count-3)
		}
		for i, p := range got {
			if i < 3 {
				if !errors.Is(p.err, ErrNeedKey) {
					t.Errorf("%s: frame %d gives %v", c.name, i+3, p.err)
				}
				continue
			}
			like(t, &c, i+3, p)
		}
	}
}

var damages = []struct {
	name   string
	always bool // whether it is noticed in any H.264 and MPEG-4: wrong bits may well mean another picture
	damage func([]byte) []byte
}{
	{"the end is missing", true, func(b []byte) []byte { return b[:len(b)*2/3] }},
	{"the middle is missing", true, func(b []byte) []byte { return append(bytes.Clone(b[:len(b)/3]), b[len(b)/2:]...) }},
	{"bits are wrong", false, func(b []byte) []byte {
		b = bytes.Clone(b)
		for i := len(b) / 2; i < len(b); i += 7 {
			b[i] ^= 0x55
		}
		return b
	}},
	{"it is empty", true, func([]byte) []byte { return nil }},
	{"it is something else", true, func([]byte) []byte { return []byte("something else") }},
}

// A damaged frame is an error, nothing is shown that builds on it, and the next key frame brings the picture back.
func TestNothingDamagedIsShown(t *testing.T) {
	for _, c := range clips(t) {
		for _, tt := range damages {
			if c.mediaType == media.JPEG { // they do not build on one another
				continue
			}
			t.Run(c.name+", "+tt.name, func(t *testing.T) {
				frames := append([]frame(nil), c.frames...)
				frames[3].data = tt.damage(frames[3].data)
				noticed := tt.always && (c.mediaType != media.H265 || len(frames[3].data) < 20)
				back := false
				for _, p := range play(newDecoder(t, c.mediaType), frames) {
					if p.err != nil {
						continue
					}
					i := int(p.time.Sub(base) / interval)
					if noticed || i >= 6 {
						like(t, &c, i, p)
					}
					back = back || i >= 6
				}
				if !back {
					t.Error("no picture after the next key frame")
				}
			})
		}
	}
}

func TestAMissingSliceIsAnError(t *testing.T) {
	c := open(t, "slices.h264")
	for lost := range 3 {
		frames := append([]frame(nil), c.frames...)
		var unit []byte
		n := 0
		for nal := range annexb.NALs(frames[2].data) {
			if annexb.Type(nal) != annexb.TypeSlice || n != lost {
				unit = annexb.Append(unit, nal)
			}
			if annexb.Type(nal) == annexb.TypeSlice {
				n++
			}
		}
		frames[2].data = unit
		for _, p := range play(newDecoder(t, c.mediaType), frames) {
			if p.at >= 2 && p.at < 6 && p.err == nil {
				t.Errorf("without slice %d of frame 2, frame %d gives a picture", lost, p.at)
			}
		}
	}
}

// Parameter sets and pictures need not come together, and remarks do not matter.
func TestParameterSetsAlone(t *testing.T) {
	for _, name := range []string{"high.h264", "main.h265"} {
		c := open(t, name)
		k := kinds[c.mediaType]
		var frames []frame
		for _, f := range c.frames {
			for nal := range annexb.NALs(f.data) {
				switch k.part(nal) {
				case parameterSet:
					frames = append(frames, frame{annexb.Append(nil, nal), false, f.show})
				case slice:
					frames = append(frames, frame{annexb.Append(nil, nal), f.key, f.show})
				case other:
					frames = append(frames, frame{annexb.Append(nil, append(bytes.Clone(nal), 0xff, 0xff)), false, f.show})
				}
			}
		}
		got := play(newDecoder(t, c.mediaType), frames)
		if len(got) != count {
			t.Fatalf("%s: %d pictures", name, len(got))
		}
		for i, p := range got {
			like(t, &c, i, p)
		}
	}
}

func TestAnotherSize(t *testing.T) {
	large, small := open(t, "high.h264"), stream(t, 64, 48, 2)
	d := newDecoder(t, media.H264)
	for range 2 {
		got := append(play(d, large.frames[:2]), play(d, small)...)
		if len(got) != 4 {
			t.Fatalf("%d pictures, want 4", len(got))
		}
		for i, want := range []int{width, width, 64, 64} {
			if got[i].err != nil || got[i].Width != want {
				t.Fatalf("picture %d: %v, want %d pixels wide", i, got[i].err, want)
			}
		}
	}
}

func TestBounds(t *testing.T) {
	c := open(t, "high.h264")
	d := newDecoder(t, c.mediaType)
	d.pixels = width*height - 1
	for _, p := range play(d, c.frames) {
		if p.err == nil {
			t.Fatal("a picture larger than it may be")
		}
	}
	d = newDecoder(t, c.mediaType)
	if _, _, err := d.Decode(make([]byte, maxUnit+1), true, base); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a huge frame gives %v", err)
	}
	sets := annexb.Append(nil, append([]byte{0x67}, bytes.Repeat([]byte{1}, 1<<20)...))
	for range 40 {
		_, _, err := d.Decode(sets, false, base)
		if len(d.unit) > maxUnit || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d bytes wait, %v", len(d.unit), err)
		}
	}
	d.unit = nil
	if got := play(d, c.frames); len(got) != count || got[0].err != nil {
		t.Errorf("after that: %v", got)
	}
}

func TestPicturesAreFresh(t *testing.T) {
	c := open(t, "high.h264")
	got := play(newDecoder(t, c.mediaType), c.frames)
	like(t, &c, 0, got[0])
	if &got[0].Y[0] == &got[1].Y[0] {
		t.Error("two pictures share memory")
	}
}

func TestErrors(t *testing.T) {
	if _, err := NewDecoder("video/x"); !errors.Is(err, media.ErrFormat) || !strings.Contains(err.Error(), "video/x") {
		t.Error(err)
	}
	for mediaType := range kinds {
		d := newDecoder(t, mediaType)
		for _, rubbish := range [][]byte{nil, []byte("rubbish"), bytes.Repeat([]byte{0, 0, 1, 0x65}, 50)} {
			if img, _, err := d.Decode(rubbish, true, base); img != nil || !errors.Is(err, ErrCorrupt) && rubbish == nil {
				t.Errorf("%s: %q gives %v %v", mediaType, rubbish, img, err)
			}
		}
		for range 2 {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, _, err := d.Decode([]byte{0, 0, 1, 0x65, 0}, true, time.Time{}); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}
