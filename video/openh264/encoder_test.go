//go:build cgo

package openh264

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/yuv"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

const frame = time.Second / 30

func newEncoder(t testing.TB, config Config) *Encoder {
	t.Helper()
	e, err := NewEncoder(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func encode(t testing.TB, e *Encoder, img *media.I420, key bool, i int) Packet {
	t.Helper()
	p, err := e.Encode(img, key, time.Duration(i)*frame)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// nals lists the NAL units of an access unit. It is written apart from the splitter of the decoder.
func nals(data []byte) (units [][]byte) {
	for _, part := range bytes.Split(data, []byte{0, 0, 1})[1:] {
		units = append(units, bytes.TrimRight(part, "\x00"))
	}
	return units
}

func types(data []byte) string {
	var s []string
	for _, n := range nals(data) {
		s = append(s, fmt.Sprint(n[0]&31))
	}
	return strings.Join(s, " ")
}

func TestKeyFramesOnlyFirstAndOnRequest(t *testing.T) {
	e := newEncoder(t, Config{Width: 96, Height: 64})
	for i := range 400 {
		force := i == 100 || i == 101
		p := encode(t, e, yuvtest.Picture(96, 64, i), force, i)
		want := i == 0 || force
		if p.Key != want {
			t.Fatalf("picture %d: key is %v, want %v", i, p.Key, want)
		}
		wantTypes := "1"
		if want {
			wantTypes = "7 8 5"
		}
		if got := types(p.Data); got != wantTypes {
			t.Fatalf("picture %d has NAL types %q, want %q", i, got, wantTypes)
		}
	}
}

func TestNoKeyFrameAtACut(t *testing.T) {
	e := newEncoder(t, Config{Width: 640, Height: 480, Bitrate: 500_000})
	for i := range 45 {
		img := yuvtest.Picture(640, 480, i)
		if i%30 >= 15 {
			img = yuvtest.Noise(640, 480, 1)
		}
		if p := encode(t, e, img, false, i); p.Key != (i == 0) {
			t.Errorf("picture %d: key is %v", i, p.Key)
		}
	}
}

// TestNoiseAtHighBitrate makes pictures that are larger than openh264's buffer.
func TestNoiseAtHighBitrate(t *testing.T) {
	for _, config := range []Config{{Width: 64, Height: 64, Bitrate: 1_000_000},
		{Width: 320, Height: 240, Bitrate: maxBitrate}} {
		e, d := newEncoder(t, config), newDecoder(t)
		for i := range 60 {
			img := yuvtest.Picture(config.Width, config.Height, i)
			if i%20 >= 10 {
				img = yuvtest.Noise(config.Width, config.Height, uint64(i))
			}
			got := decode(t, d, encode(t, e, img, i == 45, i).Data)
			if psnr := yuvtest.WorstPSNR(img, got); psnr < 25 {
				t.Errorf("%dx%d picture %d: %.1f dB", config.Width, config.Height, i, psnr)
			}
		}
	}
}

func TestProfileIsConstrainedBaseline(t *testing.T) {
	e := newEncoder(t, Config{Width: 1280, Height: 720})
	sps := nals(encode(t, e, yuvtest.Picture(1280, 720, 0), false, 0).Data)[0]
	if sps[1] != 66 || sps[2]&0x40 == 0 {
		t.Errorf("profile %d, constraints %08b: want 66 with constraint_set1", sps[1], sps[2])
	}
}

func TestSameParameterSetsInEveryKeyFrame(t *testing.T) {
	e := newEncoder(t, Config{Width: 320, Height: 240})
	first := nals(encode(t, e, yuvtest.Picture(320, 240, 0), false, 0).Data)
	again := nals(encode(t, e, yuvtest.Picture(320, 240, 1), true, 1).Data)
	if !bytes.Equal(first[0], again[0]) || !bytes.Equal(first[1], again[1]) {
		t.Errorf("SPS or PPS changed: %x %x, then %x %x", first[0], first[1], again[0], again[1])
	}
}

func TestThreadsMakeSlices(t *testing.T) {
	e := newEncoder(t, Config{Width: 640, Height: 480, Threads: 2})
	d := newDecoder(t)
	for i := range 3 {
		img := yuvtest.Picture(640, 480, i)
		p := encode(t, e, img, i == 2, i)
		want := "7 8 5 5"
		if i == 1 {
			want = "1 1"
		}
		if got := types(p.Data); got != want {
			t.Errorf("picture %d has NAL types %q, want %q", i, got, want)
		}
		if got := decode(t, d, p.Data); got == nil || yuvtest.WorstPSNR(img, got) < 35 {
			t.Errorf("picture %d does not survive two slices", i)
		}
	}
}

// rate encodes a second at a time of grainy moving pictures, and returns the bits per second of the last two.
func rate(t *testing.T, e *Encoder, start int) float64 {
	bits := 0
	for i := range 120 {
		p := encode(t, e, yuvtest.Grain(yuvtest.Picture(320, 240, i), 12, uint64(start+i)), false, start+i)
		if i >= 60 {
			bits += 8 * len(p.Data)
		}
	}
	return float64(bits) / 2
}

func TestSetBitrateChangesTheRate(t *testing.T) {
	e := newEncoder(t, Config{Width: 320, Height: 240, Bitrate: 1_500_000})
	for i, bps := range []int{1_500_000, 400_000, 1_000_000} {
		if err := e.SetBitrate(bps); err != nil {
			t.Fatal(err)
		}
		if got := rate(t, e, i*120); math.Abs(got-float64(bps)) > 0.3*float64(bps) {
			t.Errorf("asked for %d bit/s, got %.0f", bps, got)
		}
	}
}

func TestSetFrameRateSharesTheBits(t *testing.T) {
	e := newEncoder(t, Config{Width: 320, Height: 240, Bitrate: 600_000})
	at30 := rate(t, e, 0)
	if err := e.SetFrameRate(10); err != nil {
		t.Fatal(err)
	}
	if at10 := rate(t, e, 120); at10 < 2*at30 {
		t.Errorf("bits per 30 pictures: %.0f at 30 a second, %.0f at 10: want about three times as many", at30, at10)
	}
}

// starve squeezes noise into far too few bits, and counts the skipped pictures.
func starve(t *testing.T, allow bool) (skipped int, e *Encoder) {
	e = newEncoder(t, Config{Width: 640, Height: 480, Bitrate: 50_000, AllowSkip: allow})
	for i := range 40 {
		if p := encode(t, e, yuvtest.Noise(640, 480, uint64(i%4)), false, i); len(p.Data) == 0 {
			skipped++
		}
	}
	return skipped, e
}

func TestSkipOnlyIfAllowed(t *testing.T) {
	if skipped, _ := starve(t, false); skipped != 0 {
		t.Errorf("%d pictures skipped, though that is not allowed", skipped)
	}
	if skipped, _ := starve(t, true); skipped == 0 {
		t.Error("no picture skipped, though noise cannot fit")
	}
}

func TestKeyRequestOutlivesSkippedPictures(t *testing.T) {
	_, e := starve(t, true)
	for i := 40; i < 640; i++ {
		p := encode(t, e, yuvtest.Noise(640, 480, uint64(i%4)), i == 40, i)
		if len(p.Data) > 0 {
			if !p.Key {
				t.Fatalf("picture %d is the first after the request, and no key frame", i)
			}
			return
		}
	}
	t.Fatal("no picture in 20 seconds")
}

func TestEncodeTakesViews(t *testing.T) {
	whole := yuvtest.Picture(640, 480, 0)
	view := &media.I420{Width: 320, Height: 240, StrideY: 640, StrideC: 320,
		Y: whole.Y[100*640+60:], U: whole.U[50*320+30:], V: whole.V[50*320+30:]}
	e := newEncoder(t, Config{Width: 320, Height: 240})
	got := decode(t, newDecoder(t), encode(t, e, view, false, 0).Data)
	if psnr := yuvtest.WorstPSNR(view, got); psnr < 35 {
		t.Errorf("view comes out at %.1f dB", psnr)
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for want, config := range map[string]Config{
		"width 641":    {Width: 641, Height: 480},
		"width 0":      {Height: 480},
		"height 8":     {Width: 640, Height: 8},
		"height -2":    {Width: 640, Height: -2},
		"size 4096x40": {Width: 4096, Height: 4096},
		"frame rate":   {Width: 640, Height: 480, FrameRate: math.NaN()},
		"bitrate 5":    {Width: 640, Height: 480, Bitrate: 5},
		"threads 99":   {Width: 640, Height: 480, Threads: 99},
	} {
		if e, err := NewEncoder(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: want an error with %q, got %v %v", config, want, e, err)
		}
	}
	e := newEncoder(t, Config{Width: 64, Height: 64})
	for want, err := range map[string]error{
		"bitrate 0":    e.SetBitrate(0),
		"frame rate 0": e.SetFrameRate(0),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestEverySizeInRangeWorks(t *testing.T) {
	for _, size := range [][2]int{{16, 16}, {18, 16}, {16, 4096}, {4096, 16}, {4096, 2304}, {2304, 4096}, {642, 362}} {
		e := newEncoder(t, Config{Width: size[0], Height: size[1]})
		img := media.NewI420(size[0], size[1])
		if err := yuv.Scale(img, yuvtest.Picture(256, 256, 0), yuv.Bilinear); err != nil {
			t.Fatal(err)
		}
		got := decode(t, newDecoder(t), encode(t, e, img, false, 0).Data)
		if psnr := yuvtest.WorstPSNR(img, got); psnr < 28 {
			t.Errorf("%v: %.1f dB", size, psnr)
		}
		e.Close()
	}
}

func TestEncodeRefusesWrongPictures(t *testing.T) {
	e := newEncoder(t, Config{Width: 64, Height: 64})
	short := media.NewI420(64, 64)
	short.V = short.V[:100]
	for want, img := range map[string]*media.I420{"made for 64x64": media.NewI420(64, 66), "plane V": short,
		"no picture": nil} {
		if _, err := e.Encode(img, false, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestUseAfterClose(t *testing.T) {
	e := newEncoder(t, Config{Width: 64, Height: 64})
	e.Close()
	e.Close()
	_, err := e.Encode(media.NewI420(64, 64), false, 0)
	for _, err := range []error{err, e.SetBitrate(100_000), e.SetFrameRate(30)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {1280, 720}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			e := newEncoder(b, Config{Width: size[0], Height: size[1], Bitrate: 2_000_000})
			var clip []*media.I420
			for i := range 30 {
				clip = append(clip, yuvtest.Grain(yuvtest.Picture(size[0], size[1], i), 4, uint64(i)))
			}
			b.ReportAllocs()
			defer yuvtest.MeasureCPU(b)()
			bytes, i := 0, 0
			for b.Loop() {
				bytes += len(encode(b, e, clip[i%len(clip)], false, i).Data)
				i++
			}
			b.ReportMetric(float64(bytes)*8*30/float64(i)/1000, "kbit/s@30fps")
		})
	}
}
