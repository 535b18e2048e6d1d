//go:build cgo

package openh264

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

func newDecoder(t testing.TB) *Decoder {
	d := NewDecoder()
	t.Cleanup(func() { d.Close() })
	return d
}

func decode(t testing.TB, d *Decoder, data []byte) *media.I420 {
	t.Helper()
	img, err := d.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if img == nil {
		t.Fatal("no picture")
	}
	return img
}

// stream encodes n pictures, the first and those in keys as key frames.
func stream(t testing.TB, width, height, n int, keys ...int) (units [][]byte) {
	t.Helper()
	e := newEncoder(t, Config{Width: width, Height: height, Bitrate: 3_000_000})
	for i := range n {
		units = append(units, encode(t, e, yuvtest.Picture(width, height, i), slices.Contains(keys, i), i).Data)
	}
	return units
}

func TestRoundTrip(t *testing.T) {
	for _, size := range [][2]int{{64, 48}, {322, 242}, {640, 480}, {1280, 720}} {
		d := newDecoder(t)
		for i, unit := range stream(t, size[0], size[1], 10, 6) {
			got := decode(t, d, unit)
			if psnr := yuvtest.WorstPSNR(yuvtest.Picture(size[0], size[1], i), got); psnr < 36 {
				t.Errorf("%v: picture %d: %.1f dB", size, i, psnr)
			}
		}
	}
}

// TestForeignStreams decodes what another encoder made of known pictures: testdata/README.md says how.
func TestForeignStreams(t *testing.T) {
	for name, height := range map[string]int{"testdata/baseline.h264": 66, "testdata/main-b-frames.h264": 66,
		"testdata/high.h264": 66, "../libav/testdata/b-frames.h264": 68} { // the last has B frames before a key frame
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(filepath.FromSlash(name))
			if err != nil {
				t.Fatal(err)
			}
			d := newDecoder(t)
			var got []*media.I420
			for unit := range annexb.AccessUnits(bytes.Repeat(data, 3)) {
				img, err := d.Decode(unit)
				if err != nil {
					t.Fatal(err)
				}
				if img != nil {
					got = append(got, img)
				}
			}
			if len(got) < 36-2 {
				t.Errorf("%d pictures are held back", 36-len(got))
			}
			for img, err := d.Flush(); img != nil || err != nil; img, err = d.Flush() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, img)
			}
			if len(got) != 36 {
				t.Fatalf("%d pictures, want 36", len(got))
			}
			for i, img := range got {
				if psnr := yuvtest.WorstPSNR(yuvtest.Picture(96, height, 8*(i%12)), img); psnr < 30 {
					t.Errorf("picture %d: %.1f dB", i, psnr)
				}
			}
		})
	}
}

// TestPicturesKeepTheirTime has pictures come out in another order than they are in the stream.
func TestPicturesKeepTheirTime(t *testing.T) {
	data, err := os.ReadFile("testdata/main-b-frames.h264")
	if err != nil {
		t.Fatal(err)
	}
	order := []int{0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 11, 10} // in which x264 writes them
	d, i, got := newDecoder(t), 0, 0
	for unit := range annexb.AccessUnits(data) {
		img, at, err := d.DecodeAt(unit, time.Unix(int64(order[i]), 0))
		if err != nil {
			t.Fatal(err)
		}
		if i++; img == nil {
			continue
		}
		if psnr := yuvtest.WorstPSNR(yuvtest.Picture(96, 66, 8*got), img); psnr < 30 || at.Unix() != int64(got) {
			t.Errorf("picture %d comes out with time %d, at %.1f dB", got, at.Unix(), psnr)
		}
		got++
	}
	if got < 10 {
		t.Errorf("%d pictures", got)
	}
}

func TestDecoderWaitsForAKeyFrame(t *testing.T) {
	units := stream(t, 64, 48, 4, 2)
	d := newDecoder(t)
	if img, err := d.Decode(units[1]); img != nil || !errors.Is(err, ErrNeedKey) {
		t.Fatalf("got %v and %v, want ErrNeedKey", img, err)
	}
	decode(t, d, units[2])
	decode(t, d, units[3])
}

func TestDecoderRecoversFromDamage(t *testing.T) {
	units := stream(t, 320, 240, 6, 4)
	d := newDecoder(t)
	decode(t, d, units[0])
	if img, err := d.Decode(units[1][:len(units[1])/2]); img != nil || !errors.Is(err, ErrCorrupt) {
		t.Fatalf("half a unit gives %v and %v, want ErrCorrupt", img, err)
	}
	if _, err := d.Decode(units[2]); !errors.Is(err, ErrNeedKey) {
		t.Fatalf("after damage: %v, want ErrNeedKey", err)
	}
	idr := nals(units[4])[2] // without its parameter sets, which the decoder has seen
	if psnr := yuvtest.WorstPSNR(yuvtest.Picture(320, 240, 4), decode(t, d, annexb.Append(nil, idr))); psnr < 36 {
		t.Errorf("after recovery: %.1f dB", psnr)
	}
	decode(t, d, units[5])
}

func TestDecoderNoticesALostPicture(t *testing.T) {
	units := stream(t, 320, 240, 4)
	d := newDecoder(t)
	decode(t, d, units[0])
	decode(t, d, units[1])
	if img, err := d.Decode(units[3]); err == nil {
		t.Errorf("a picture whose reference is missing decodes to %v", img)
	}
}

func TestDecoderFollowsANewSize(t *testing.T) {
	d := newDecoder(t)
	for _, size := range [][2]int{{320, 240}, {64, 48}, {640, 360}} {
		units := stream(t, size[0], size[1], 2)
		for i, unit := range units {
			img := decode(t, d, unit)
			if psnr := yuvtest.WorstPSNR(yuvtest.Picture(size[0], size[1], i), img); psnr < 36 {
				t.Errorf("%v: %.1f dB", size, psnr)
			}
		}
	}
}

func TestNewSizeWithoutKeyFrameIsRefused(t *testing.T) {
	small, large := stream(t, 64, 48, 2), stream(t, 640, 480, 2)
	d := newDecoder(t)
	decode(t, d, small[0])
	sets := nals(large[0])[:2]
	forged := annexb.Append(annexb.Append(nil, sets[0]), sets[1])
	if _, err := d.Decode(append(forged, small[1]...)); !errors.Is(err, ErrNeedKey) {
		t.Errorf("got %v, want ErrNeedKey", err)
	}
}

func TestDecodeWithoutSlicesGivesNothing(t *testing.T) {
	d := newDecoder(t)
	if img, err := d.Decode([]byte{0, 0, 0, 1, 9, 0x10}); img != nil || err != nil {
		t.Errorf("a delimiter gives %v and %v", img, err)
	}
	if _, err := d.Decode([]byte("no start code")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("text gives %v", err)
	}
}

func TestDecodedPicturesAreFresh(t *testing.T) {
	units := stream(t, 64, 48, 2)
	d := newDecoder(t)
	first := decode(t, d, units[0])
	before := bytes.Clone(first.Packed())
	decode(t, d, units[1])
	if !bytes.Equal(before, first.Packed()) {
		t.Error("the second picture overwrote the first")
	}
}

func TestDecoderAfterClose(t *testing.T) {
	d := newDecoder(t)
	d.Close()
	d.Close()
	if _, err := d.Decode(nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := d.Flush(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// FuzzDecode feeds a decoder two access units, as it would come to them from a stream that turns bad, and then a good
// one.
func FuzzDecode(f *testing.F) {
	units := stream(f, 32, 32, 3)
	other := stream(f, 48, 16, 2)
	f.Add(units[0], units[1])
	f.Add(units[1], units[0])
	f.Add(units[0], other[1])
	f.Add(units[0][:40], units[0][20:])
	f.Add(append(bytes.Clone(units[0]), other[0]...), units[2])
	f.Add([]byte{0, 0, 1, 0x67}, []byte{0, 0, 1, 0x65, 0x88})
	files, err := filepath.Glob("testdata/*.h264")
	if err != nil || len(files) == 0 {
		f.Fatal("testdata is missing", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		all := slices.Collect(annexb.AccessUnits(data))
		f.Add(all[0], all[1])
		f.Add(all[0], bytes.Join(all[1:4], nil))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		d := NewDecoder()
		defer d.Close()
		for _, data := range [][]byte{a, b, a} {
			img, err := d.Decode(data)
			if img != nil && (err != nil || img.Validate() != nil) {
				t.Errorf("picture %dx%d with error %v", img.Width, img.Height, err)
			}
		}
		for range 32 {
			if img, err := d.Flush(); img == nil || err != nil {
				break
			}
		}
		if _, err := d.Decode(units[0]); err != nil {
			t.Errorf("a good key frame after bad ones: %v", err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	units := stream(b, 1280, 720, 30)
	d := newDecoder(b)
	b.ReportAllocs()
	defer yuvtest.MeasureCPU(b)()
	i := 0
	for b.Loop() {
		decode(b, d, units[i%len(units)])
		i++
	}
}
