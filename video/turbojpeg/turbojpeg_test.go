//go:build cgo

package turbojpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

func encode(t testing.TB, img *media.I420, quality int) []byte {
	t.Helper()
	b, err := Encode(img, quality)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeWhole(t testing.TB, b []byte) *media.I420 {
	t.Helper()
	img, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestRoundTrip(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 2}, {1, 9}, {7, 1}, {16, 16}, {17, 31}, {64, 48}, {641, 363}, {1280, 720}} {
		img := yuvtest.Picture(size[0], size[1], 0)
		got := decodeWhole(t, encode(t, img, 95))
		if psnr := yuvtest.WorstPSNR(img, got); psnr < 37 {
			t.Errorf("%v: %.1f dB", size, psnr)
		}
	}
}

func TestQualityIsSize(t *testing.T) {
	img := yuvtest.Grain(yuvtest.Picture(320, 240, 0), 8, 1)
	if a, b, c := len(encode(t, img, 20)), len(encode(t, img, 60)), len(encode(t, img, 95)); !(a < b && b < c) {
		t.Errorf("sizes at quality 20, 60, 95 are %d, %d, %d", a, b, c)
	}
}

// TestGoReadsOurs checks the meaning of the samples against image/jpeg: white must be white, and the sizes right.
func TestGoReadsOurs(t *testing.T) {
	white := media.NewI420(33, 17)
	for i := range white.Y {
		white.Y[i] = 235
	}
	for i := range white.U {
		white.U[i], white.V[i] = 128, 128
	}
	img, err := jpeg.Decode(bytes.NewReader(encode(t, white, 90)))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, 33, 17) {
		t.Errorf("bounds %v", img.Bounds())
	}
	if r, g, b, _ := img.At(32, 16).RGBA(); r>>8 < 253 || g>>8 < 253 || b>>8 < 253 {
		t.Errorf("white is %d %d %d", r>>8, g>>8, b>>8)
	}
}

func TestDecodeGrey(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 35, 19))
	want := media.NewI420(35, 19)
	for i := range want.U {
		want.U[i], want.V[i] = 128, 128
	}
	for y := range 19 {
		for x := range 35 {
			grey.Pix[y*grey.Stride+x] = byte(7*x + y)
			want.Y[y*35+x] = byte(16 + int(byte(7*x+y))*219/255)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, grey, &jpeg.Options{Quality: 98}); err != nil {
		t.Fatal(err)
	}
	if psnr := yuvtest.WorstPSNR(want, decodeWhole(t, b.Bytes())); psnr < 38 {
		t.Errorf("%.1f dB", psnr)
	}
}

// TestForeignFiles decodes what another encoder made of known pictures in every chroma layout: testdata/README.md says
// how.
func TestForeignFiles(t *testing.T) {
	for _, name := range foreign(t) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		width, height := 98, 66
		if strings.Contains(name, "odd") {
			width, height = 97, 65
		}
		img := decodeWhole(t, data)
		want := yuvtest.Picture(width, height, 0)
		if strings.Contains(name, "gray") {
			want.U, want.V = img.U, img.V // TestDecodeGrey looks at them
		}
		if psnr := yuvtest.WorstPSNR(want, img); psnr < 36 {
			y, u, v := yuvtest.PSNR(want, img)
			t.Errorf("%s: %.1f dB (%.1f %.1f %.1f)", name, psnr, y, u, v)
		}
	}
}

func foreign(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(names) < 8 {
		t.Fatalf("testdata has %d files, want at least 8 (%v)", len(names), err)
	}
	return names
}

// without leaves out all segments with a marker.
func without(t testing.TB, b []byte, marker byte) []byte {
	t.Helper()
	out := bytes.Clone(b[:2])
	for i := 2; ; {
		if b[i] != 0xff {
			t.Fatalf("no marker at %d", i)
		}
		end := i + 2 + int(b[i+2])<<8 + int(b[i+3])
		if b[i+1] != marker {
			out = append(out, b[i:end]...)
		}
		if b[i+1] == 0xda {
			return append(out, b[end:]...)
		}
		i = end
	}
}

// TestCameraHabits decodes what USB cameras make of JPEG.
func TestCameraHabits(t *testing.T) {
	img := yuvtest.Picture(320, 240, 0)
	whole := encode(t, img, 90)
	body := whole[:len(whole)-2]
	restart, err := os.ReadFile("testdata/restart.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		img  *media.I420
	}{
		"no Huffman tables":          {without(t, whole, 0xc4), img},
		"no JFIF header":             {without(t, whole, 0xe0), img},
		"bytes behind the end":       {append(bytes.Clone(whole), make([]byte, 4096)...), img},
		"garbage behind the end":     {append(bytes.Clone(whole), "junk\xff\xd8\xff\xff\xda"...), img},
		"stray bytes before the end": {append(append(bytes.Clone(body), "stray"...), 0xff, 0xd9), img},
		"no end":                     {body, img},
		"stray bytes amid": {bytes.Replace(restart, []byte{0xff, 0xd1}, []byte{7, 7, 7, 0xff, 0xd1}, 1),
			yuvtest.Picture(98, 66, 0)},
	} {
		got, err := Decode(c.data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if psnr := yuvtest.WorstPSNR(c.img, got); psnr < 36 {
			t.Errorf("%s: %.1f dB", name, psnr)
		}
	}
}

func TestDamageIsAnError(t *testing.T) {
	whole := encode(t, yuvtest.Grain(yuvtest.Picture(320, 240, 0), 10, 1), 90)
	cases := map[string][]byte{
		"nothing":   nil,
		"text":      []byte("this is not a JPEG, it only has some length"),
		"only ends": {0xff, 0xd8, 0xff, 0xd9},
		"no DQT":    without(t, whole, 0xdb),
	}
	for _, part := range []int{1, 10, 30, 50, 90, 99} {
		cut := whole[:len(whole)*part/100]
		cases[fmt.Sprint(part, " percent")] = cut
		cases[fmt.Sprint(part, " percent, then zeros")] = append(bytes.Clone(cut), make([]byte, 5000)...)
	}
	for name, data := range cases {
		if img, err := Decode(data); img != nil || !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got a picture: %v, error: %v", name, img != nil, err)
		}
	}
}

func TestSizeLimit(t *testing.T) {
	b := encode(t, yuvtest.Picture(64, 48, 0), 50)
	i := bytes.Index(b, []byte{0xff, 0xc0})
	b[i+5], b[i+6] = 0x20, 0x01 // height
	if _, err := Decode(b); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "64x8193") {
		t.Errorf("got %v", err)
	}
}

func TestEncodeErrorsNameTheField(t *testing.T) {
	short := media.NewI420(64, 48)
	short.U = short.U[:5]
	_, noPicture := Encode(nil, 80)
	_, plane := Encode(short, 80)
	_, low := Encode(media.NewI420(8, 8), 0)
	_, high := Encode(media.NewI420(8, 8), 101)
	for want, err := range map[string]error{"no picture": noPicture, "plane U": plane, "quality 0": low,
		"quality 101": high} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	b := encode(t, yuvtest.Picture(64, 48, 0), 90)
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := Decode(b)
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range foreign(f) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	whole := encode(f, yuvtest.Picture(17, 9, 0), 30)
	f.Add(whole)
	f.Add(without(f, whole, 0xc4))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Decode(data)
		if (img == nil) == (err == nil) {
			t.Fatalf("picture %v with error %v", img != nil, err)
		}
		if img != nil && img.Validate() != nil {
			t.Errorf("bad picture: %v", img.Validate())
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	img := yuvtest.Grain(yuvtest.Picture(1280, 720, 0), 4, 1)
	b.ReportAllocs()
	defer yuvtest.MeasureCPU(b)()
	for b.Loop() {
		encode(b, img, 80)
	}
}

func BenchmarkDecode(b *testing.B) {
	data := encode(b, yuvtest.Grain(yuvtest.Picture(1280, 720, 0), 4, 1), 80)
	b.Run("420", func(b *testing.B) {
		b.ReportAllocs()
		defer yuvtest.MeasureCPU(b)()
		b.ReportMetric(float64(len(data))/1000, "kB")
		for b.Loop() {
			decodeWhole(b, data)
		}
	})
	body := data[:len(data)-2]
	odd := append(append(bytes.Clone(body), "stray"...), 0xff, 0xd9)
	b.Run("stray", func(b *testing.B) {
		b.ReportAllocs()
		defer yuvtest.MeasureCPU(b)()
		for b.Loop() {
			decodeWhole(b, odd)
		}
	})
}
