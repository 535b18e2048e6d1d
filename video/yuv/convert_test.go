//go:build cgo

package yuv

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

var sizes = [][2]int{{1, 1}, {2, 2}, {3, 3}, {1, 7}, {8, 1}, {16, 16}, {33, 17}, {64, 48}, {65, 49}, {130, 71},
	{641, 363}}

// reference reads one pixel out of a packed buffer, in plain Go, as Y, U, V.
type reference func(b []byte, stride, height, x, y int) (Y, U, V float64)

func refYUYV(b []byte, stride, _, x, y int) (float64, float64, float64) {
	p := b[y*stride+x/2*4:]
	return float64(p[x%2*2]), float64(p[1]), float64(p[3])
}

func refUYVY(b []byte, stride, _, x, y int) (float64, float64, float64) {
	p := b[y*stride+x/2*4:]
	return float64(p[1+x%2*2]), float64(p[0]), float64(p[2])
}

func refNV12(b []byte, stride, height, x, y int) (float64, float64, float64) {
	strideUV := (stride + 1) / 2 * 2
	p := b[height*stride+y/2*strideUV+x/2*2:]
	return float64(b[y*stride+x]), float64(p[0]), float64(p[1])
}

func refNV21(b []byte, stride, height, x, y int) (float64, float64, float64) {
	Y, v, u := refNV12(b, stride, height, x, y)
	return Y, u, v
}

func refRGB(r, g, b float64) (float64, float64, float64) { // BT.601, video range
	return 16 + (65.481*r+128.553*g+24.966*b)/255, 128 + (-37.797*r-74.203*g+112*b)/255, 128 +
		(112*r-93.786*g-18.214*b)/255
}

func refRGB24(b []byte, stride, _, x, y int) (float64, float64, float64) {
	p := b[y*stride+3*x:]
	return refRGB(float64(p[0]), float64(p[1]), float64(p[2]))
}

func refBGR24(b []byte, stride, _, x, y int) (float64, float64, float64) {
	p := b[y*stride+3*x:]
	return refRGB(float64(p[2]), float64(p[1]), float64(p[0]))
}

func refGREY(b []byte, stride, _, x, y int) (float64, float64, float64) {
	return 16 + float64(b[y*stride+x])*219/255, 128, 128
}

var sources = []struct {
	name    string
	convert func(*media.I420, []byte, int) error
	ref     reference
	layout  layout
}{
	{"YUYV", YUYVToI420, refYUYV, yuyv},
	{"UYVY", UYVYToI420, refUYVY, uyvy},
	{"NV12", NV12ToI420, refNV12, nv12},
	{"NV21", NV21ToI420, refNV21, nv21},
	{"BGR24", BGR24ToI420, refBGR24, bgr24},
	{"RGB24", RGB24ToI420, refRGB24, rgb24},
	{"GREY", GREYToI420, refGREY, grey},
}

// wave fills a buffer with values that change slowly, so that rounding and averaging stay within a few steps, in a
// different way for each byte of a group.
func wave(size, stride, group int) []byte {
	b := make([]byte, size)
	for i := range b {
		x, y := i%stride/group, i/stride
		b[i] = byte((x + 2*y + 60*(i%stride%group)) % 500 / 2)
		if d := (x + 2*y + 60*(i%stride%group)) % 500; d >= 250 {
			b[i] = byte((499 - d) / 2)
		}
	}
	return b
}

// expect is the picture that a plain reading of b gives: chroma is the mean of the pixels it covers.
func expect(ref reference, b []byte, stride, width, height int) *media.I420 {
	p := media.NewI420(width, height)
	for cy := range p.ChromaHeight() {
		for cx := range p.ChromaWidth() {
			var sumU, sumV, n float64
			for y := 2 * cy; y < min(2*cy+2, height); y++ {
				for x := 2 * cx; x < min(2*cx+2, width); x++ {
					Y, U, V := ref(b, stride, height, x, y)
					p.Y[y*p.StrideY+x] = byte(Y + 0.5)
					sumU, sumV, n = sumU+U, sumV+V, n+1
				}
			}
			p.U[cy*p.StrideC+cx], p.V[cy*p.StrideC+cx] = byte(sumU/n+0.5), byte(sumV/n+0.5)
		}
	}
	return p
}

func worstDifference(a, b []byte) (worst int) {
	for i := range a {
		worst = max(worst, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return worst
}

func TestToI420(t *testing.T) {
	for _, s := range sources {
		for _, size := range sizes {
			for _, padding := range []int{0, 14} {
				width, height := size[0], size[1]
				row := s.layout.rowBytes(width)
				stride := 0
				if padding > 0 {
					stride, row = (row+1)/2*2+padding, (row+1)/2*2+padding
				}
				group := max(1, s.layout.rowBytes(4)/4)
				b := wave(2*row*height+4*row, row, group)
				got := media.NewI420(width, height)
				if err := s.convert(got, b, stride); err != nil {
					t.Errorf("%s %v stride %d: %v", s.name, size, stride, err)
					continue
				}
				want := expect(s.ref, b, row, width, height)
				for i, plane := range [][2][]byte{{want.Y, got.Y}, {want.U, got.U}, {want.V, got.V}} {
					if d := worstDifference(plane[0], plane[1]); d > 2 {
						t.Errorf("%s %v stride %d: plane %d is off by %d", s.name, size, stride, i, d)
					}
				}
			}
		}
	}
}

func TestFromI420AndBack(t *testing.T) {
	for _, s := range []struct {
		name  string
		to    func([]byte, int, *media.I420) error
		back  func(*media.I420, []byte, int) error
		row   func(int) int
		least float64
	}{
		{"YUYV", I420ToYUYV, YUYVToI420, pairs, 60},
		{"NV12", I420ToNV12, NV12ToI420, single, 99},
		{"BGR24", I420ToBGR24, BGR24ToI420, triple, 38},
	} {
		for _, size := range sizes {
			for _, stride := range []int{0, (s.row(size[0])+1)/2*2 + 6} {
				img, got := yuvtest.Picture(size[0], size[1], 0), media.NewI420(size[0], size[1])
				pale(img)
				buffer := make([]byte, max(stride, s.row(size[0])+1)*size[1]*2+stride)
				if err := s.to(buffer, stride, img); err != nil {
					t.Fatalf("%s %v stride %d: %v", s.name, size, stride, err)
				}
				if err := s.back(got, buffer, stride); err != nil {
					t.Fatalf("%s %v stride %d: back: %v", s.name, size, stride, err)
				}
				if psnr := yuvtest.WorstPSNR(img, got); psnr < s.least {
					t.Errorf("%s %v stride %d: %.1f dB", s.name, size, stride, psnr)
				}
			}
		}
	}
}

// pale takes colour out of a picture until all of it exists in RGB.
func pale(p *media.I420) {
	for i := range p.U {
		p.U[i], p.V[i] = 96+p.U[i]/4, 96+p.V[i]/4
	}
	for i := range p.Y {
		p.Y[i] = 64 + p.Y[i]/2
	}
}

func TestKnownColours(t *testing.T) {
	for name, c := range map[string]struct{ bgr, yuv [3]byte }{
		"red":   {[3]byte{0, 0, 255}, [3]byte{81, 90, 240}},
		"blue":  {[3]byte{255, 0, 0}, [3]byte{41, 240, 110}},
		"white": {[3]byte{255, 255, 255}, [3]byte{235, 128, 128}},
		"black": {[3]byte{0, 0, 0}, [3]byte{16, 128, 128}},
	} {
		img := media.NewI420(2, 2)
		var b []byte
		for range 4 {
			b = append(b, c.bgr[:]...)
		}
		if err := BGR24ToI420(img, b, 0); err != nil {
			t.Fatal(err)
		}
		if got := []byte{img.Y[0], img.U[0], img.V[0]}; worstDifference(c.yuv[:], got) > 1 {
			t.Errorf("%s: got %v, want %v", name, got, c.yuv)
		}
	}
}

func TestWrongBuffersAreNamed(t *testing.T) {
	short := media.NewI420(64, 48)
	short.U = short.U[:10]
	ok := media.NewI420(64, 48)
	for want, err := range map[string]error{
		"YUYV to I420: source: buffer has 6143 bytes, but 64x48 with stride 128 needs 6144": YUYVToI420(ok,
			make([]byte, 6143), 0),
		"source: buffer has 0 bytes":               BGR24ToI420(ok, nil, 0),
		"needs 4560":                               NV12ToI420(media.NewI420(63, 48), make([]byte, 4559), 0),
		"stride 63: must be 0 (no padding) or 64":  NV12ToI420(ok, make([]byte, 1<<20), 63),
		"stride -128":                              UYVYToI420(ok, make([]byte, 1<<20), -128),
		"destination: bad video format: plane U":   GREYToI420(short, make([]byte, 1<<20), 0),
		"I420 to BGR24: destination: buffer has 1": I420ToBGR24(make([]byte, 1), 0, ok),
		"I420 to YUYV: source":                     I420ToYUYV(make([]byte, 1<<20), 0, short),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

// FuzzBuffers gives every conversion buffers and strides that may not fit; a write or read outside of them would crash.
func FuzzBuffers(f *testing.F) {
	f.Add(uint16(64), uint16(48), 0, 64*48*2)
	f.Add(uint16(63), uint16(47), 64, 64*47*3)
	f.Add(uint16(1), uint16(1), -1, 3)
	f.Fuzz(func(t *testing.T, width, height uint16, stride, size int) {
		if width > 300 || height > 300 || size < 0 || size > 1<<20 {
			return
		}
		img := media.NewI420(max(1, int(width)), max(1, int(height)))
		b := make([]byte, size)
		for _, s := range sources {
			_ = s.convert(img, b, stride)
		}
		_ = I420ToBGR24(b, stride, img)
		_ = I420ToNV12(b, stride, img)
		_ = I420ToYUYV(b, stride, img)
	})
}

func BenchmarkToI420(b *testing.B) {
	for _, s := range sources {
		b.Run(fmt.Sprintf("%s-1280x720", s.name), func(b *testing.B) {
			dst, src := media.NewI420(1280, 720), make([]byte, 1280*720*3)
			b.ReportAllocs()
			defer yuvtest.MeasureCPU(b)()
			for b.Loop() {
				if err := s.convert(dst, src, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkI420ToBGR24(b *testing.B) {
	src, dst := yuvtest.Picture(1280, 720, 0), make([]byte, 1280*720*3)
	b.ReportAllocs()
	defer yuvtest.MeasureCPU(b)()
	for b.Loop() {
		if err := I420ToBGR24(dst, 0, src); err != nil {
			b.Fatal(err)
		}
	}
}
