//go:build cgo

package vpx

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/vp8"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

// What every encoder has to do is tested by codectest; here is what is particular to this one.

const frame = time.Second / 30

func newEncoder(t testing.TB, config Config) *Encoder {
	t.Helper()
	e, err := NewEncoder(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// decodeKey decodes a key frame with a decoder in Go, which knows no others.
func decodeKey(t *testing.T, data []byte) *media.I420 {
	t.Helper()
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(data), len(data))
	header, err := d.DecodeFrameHeader()
	if err != nil || !header.KeyFrame {
		t.Fatalf("header %+v, %v", header, err)
	}
	img, err := d.DecodeFrame()
	if err != nil {
		t.Fatal(err)
	}
	return &media.I420{Width: header.Width, Height: header.Height, Y: img.Y, U: img.Cb, V: img.Cr, StrideY: img.YStride,
		StrideC: img.CStride}
}

func TestKeyFramesAreVP8(t *testing.T) {
	for _, size := range [][2]int{{MinSide, MinSide}, {3, 5}, {16, 16}, {641, 361}, {1280, 720}, {MaxSide, 2304}} {
		e := newEncoder(t, Config{Width: size[0], Height: size[1]})
		img := yuvtest.Picture(size[0], size[1], 0)
		for i := range 3 {
			p, err := e.Encode(img, i == 2, frame)
			if err != nil {
				t.Fatal(err)
			}
			if p.Key != (i != 1) {
				t.Errorf("%v picture %d: key frame %v", size, i, p.Key)
			}
			if !p.Key {
				continue
			}
			got := decodeKey(t, p.Data)
			if got.Width != size[0] || got.Height != size[1] {
				t.Fatalf("%v picture %d comes out as %dx%d", size, i, got.Width, got.Height)
			}
			if psnr := yuvtest.WorstPSNR(img, got); size[0] >= 16 && psnr < 26 { // a smaller one is all edges
				t.Errorf("%v picture %d: %.1f dB", size, i, psnr)
			}
		}
		e.Close()
	}
}

func TestThreads(t *testing.T) {
	e := newEncoder(t, Config{Width: 1280, Height: 720, Threads: maxThreads})
	for i := range 5 {
		img := yuvtest.Picture(1280, 720, i)
		p, err := e.Encode(img, true, frame)
		if err != nil {
			t.Fatal(err)
		}
		if psnr := yuvtest.WorstPSNR(img, decodeKey(t, p.Data)); psnr < 28 {
			t.Errorf("picture %d: %.1f dB", i, psnr)
		}
	}
}

func TestErrorsNameTheField(t *testing.T) {
	for want, config := range map[string]Config{
		"width 1":      {Width: 1, Height: 480},
		"width 4097":   {Width: 4097, Height: 480},
		"height 0":     {Width: 640},
		"height -2":    {Width: 640, Height: -2},
		"size 4096x40": {Width: 4096, Height: 4096},
		"bitrate 5":    {Width: 640, Height: 480, Bitrate: 5},
		"threads 99":   {Width: 640, Height: 480, Threads: 99},
	} {
		if e, err := NewEncoder(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: want an error with %q, got %v %v", config, want, e, err)
		}
	}
	e := newEncoder(t, Config{Width: 64, Height: 64})
	for _, duration := range []time.Duration{-1, 0, time.Microsecond, time.Hour} {
		if _, err := e.Encode(media.NewI420(64, 64), false, duration); err == nil ||
			!strings.Contains(err.Error(), "duration") {
			t.Errorf("duration %v: %v", duration, err)
		}
	}
}

func TestUseAfterClose(t *testing.T) {
	e := newEncoder(t, Config{Width: 64, Height: 64})
	e.Close()
	e.Close()
	_, err := e.Encode(media.NewI420(64, 64), false, frame)
	for _, err := range []error{err, e.SetBitrate(100_000)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// FuzzEncode encodes pictures of any size and content. Whatever comes out as a key frame has the size of the picture.
func FuzzEncode(f *testing.F) {
	f.Add(uint16(64), uint16(48), uint32(300_000), []byte("picture"))
	f.Add(uint16(2), uint16(2), uint32(10_000), []byte{16, 235})
	f.Add(uint16(641), uint16(17), uint32(200_000_000), []byte{0, 255, 1, 254, 7})
	f.Fuzz(func(t *testing.T, width, height uint16, bitrate uint32, content []byte) {
		config := Config{Width: int(width % 700), Height: int(height % 700), Bitrate: int(bitrate)}
		e, err := NewEncoder(config)
		if err != nil {
			return
		}
		defer e.Close()
		img := media.NewI420(config.Width, config.Height)
		for i, packed := 0, img.Packed(); len(content) > 0 && i < len(packed); i++ {
			packed[i] = content[i%len(content)] + byte(i/len(content))
		}
		for i := range 3 {
			p, err := e.Encode(img, i == 2, frame)
			if err != nil || len(p.Data) == 0 || p.Key != (i != 1) {
				t.Fatalf("picture %d: %d bytes, key frame %v, %v", i, len(p.Data), p.Key, err)
			}
			if p.Key {
				if got := decodeKey(t, p.Data); got.Width != config.Width || got.Height != config.Height {
					t.Fatalf("picture %d comes out as %dx%d, want %dx%d", i, got.Width, got.Height, config.Width, config.Height)
				}
			}
		}
	})
}
