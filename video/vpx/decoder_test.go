package vpx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

// encoded are pictures, and the frames that the encoder makes of them: the first is a key frame.
func encoded(t testing.TB, width, height, count int) (pictures []*media.I420, frames [][]byte) {
	t.Helper()
	e, err := NewEncoder(Config{Width: width, Height: height, Bitrate: 3_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := range count {
		img := yuvtest.Picture(width, height, i)
		p, err := e.Encode(img, false, 33*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		pictures, frames = append(pictures, img), append(frames, p.Data)
	}
	return pictures, frames
}

// mean returns the mean difference of two planes.
func mean(a, b []byte) float64 {
	sum := 0
	for i := range a {
		sum += max(int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return float64(sum) / float64(len(a))
}

func TestDecoderShowsWhatWasEncoded(t *testing.T) {
	for _, size := range [][2]int{{640, 480}, {321, 181}} {
		pictures, frames := encoded(t, size[0], size[1], 10)
		d := NewDecoder()
		defer d.Close()
		for i, f := range frames {
			img, err := d.Decode(f)
			if err != nil || img == nil || img.Width != size[0] || img.Height != size[1] {
				t.Fatalf("%v, frame %d: %v, %v", size, i, img, err)
			}
			if y, u, v := mean(img.Y, pictures[i].Y), mean(img.U, pictures[i].U), mean(img.V, pictures[i].V); max(y, u, v) > 8 {
				t.Errorf("%v, frame %d differs by %.1f, %.1f, %.1f", size, i, y, u, v)
			}
		}
	}
}

func TestDecoderResumesAtKeyFrames(t *testing.T) {
	_, frames := encoded(t, 64, 48, 3)
	huge := bytes.Clone(frames[0])
	huge[7], huge[9] = 0x3f, 0x3f
	narrow := bytes.Clone(frames[0]) // little in all, but 8193 pixels high
	binary.LittleEndian.PutUint16(narrow[8:], media.MaxSize+1)
	noCode := bytes.Clone(frames[0])
	noCode[4] = 7
	d := NewDecoder()
	for i, tt := range []struct {
		name  string
		frame []byte
		err   error
	}{
		{"another one first", frames[1], ErrNeedKey},
		{"key", frames[0], nil}, {"another", frames[1], nil},
		{"nothing", nil, ErrCorrupt}, {"after that", frames[2], ErrNeedKey},
		{"key again", frames[0], nil}, {"too large", huge, ErrCorrupt},
		{"key before it", frames[0], nil}, {"too high", narrow, ErrCorrupt},
		{"key once more", frames[0], nil}, {"no start code", noCode, ErrCorrupt}, {"after that", frames[1], ErrNeedKey},
		{"a head alone", frames[0][:headSize], ErrCorrupt}, {"and key", frames[0], nil},
	} {
		if img, err := d.Decode(tt.frame); !errors.Is(err, tt.err) || (err == nil) != (img != nil) {
			t.Errorf("step %d, %s: %v, want %v", i, tt.name, err, tt.err)
		}
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Decode(frames[0]); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func FuzzDecoder(f *testing.F) {
	_, frames := encoded(f, 32, 32, 2)
	f.Add(frames[0], frames[1])
	f.Add(frames[0][:headSize], []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) >= headSize && (a[7]&0x3f > 1 || a[9]&0x3f > 1) { // large pictures cost time, not insight
			return
		}
		d := NewDecoder()
		defer d.Close()
		for _, frame := range [][]byte{frames[0], a, b, frames[0], frames[1]} {
			img, err := d.Decode(frame)
			if err == nil && img != nil && img.Validate() != nil {
				t.Errorf("%dx%d: %v", img.Width, img.Height, img.Validate())
			}
		}
		if _, err := d.Decode(frames[0]); err != nil {
			t.Errorf("a key frame does not help: %v", err)
		}
	})
}
