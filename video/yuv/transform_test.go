//go:build cgo

package yuv

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

// moved is a plane in which the sample at x, y is that of src at from(x, y), in plain Go.
func moved(src []byte, stride, width, height int, from func(x, y int) (int, int)) []byte {
	out := make([]byte, 0, width*height)
	for y := range height {
		for x := range width {
			fx, fy := from(x, y)
			out = append(out, src[fy*stride+fx])
		}
	}
	return out
}

// transforms move every sample of a plane; from tells where the sample at x, y of a result came from, in a plane of w
// by h.
var transforms = []struct {
	name   string
	run    func(dst, src *media.I420) error
	turned bool // width and height change places
	from   func(x, y, w, h int) (int, int)
}{
	{"rotate 0", rotate(0), false, func(x, y, w, h int) (int, int) { return x, y }},
	{"rotate 90", rotate(90), true, func(x, y, w, h int) (int, int) { return y, h - 1 - x }},
	{"rotate 180", rotate(180), false, func(x, y, w, h int) (int, int) { return w - 1 - x, h - 1 - y }},
	{"rotate 270", rotate(270), true, func(x, y, w, h int) (int, int) { return w - 1 - y, x }},
	{"mirror", MirrorH, false, func(x, y, w, h int) (int, int) { return w - 1 - x, y }},
	{"flip", FlipV, false, func(x, y, w, h int) (int, int) { return x, h - 1 - y }},
}

func rotate(degrees int) func(dst, src *media.I420) error {
	return func(dst, src *media.I420) error { return Rotate(dst, src, degrees) }
}

// padded is a copy of p as a view into a larger picture.
func padded(p *media.I420) *media.I420 {
	whole := media.NewI420(p.Width+18, p.Height+4)
	view := &media.I420{Width: p.Width, Height: p.Height, StrideY: whole.StrideY, StrideC: whole.StrideC,
		Y: whole.Y[2*whole.StrideY+2:], U: whole.U[whole.StrideC+1:], V: whole.V[whole.StrideC+1:]}
	view.Copy(p)
	return view
}

func TestTransforms(t *testing.T) {
	for _, f := range transforms {
		for _, size := range sizes {
			src := yuvtest.Noise(size[0], size[1], 1)
			width, height := size[0], size[1]
			if f.turned {
				width, height = height, width
			}
			want := moved(src.Y, src.StrideY, width, height, func(x, y int) (int, int) { return f.from(x, y, size[0], size[1]) })
			for _, plane := range [][]byte{src.U, src.V} {
				cw, ch := src.ChromaWidth(), src.ChromaHeight()
				want = append(want, moved(plane, src.StrideC, (width+1)/2, (height+1)/2,
					func(x, y int) (int, int) { return f.from(x, y, cw, ch) })...)
			}
			for name, pair := range map[string][2]*media.I420{
				"tight": {media.NewI420(width, height), src},
				"views": {padded(media.NewI420(width, height)), padded(src)},
			} {
				if err := f.run(pair[0], pair[1]); err != nil {
					t.Errorf("%s %v %s: %v", f.name, size, name, err)
				} else if !bytes.Equal(pair[0].Packed(), want) {
					t.Errorf("%s %v %s: wrong samples", f.name, size, name)
				}
			}
		}
	}
}

func TestViewsKeepTheirSurroundings(t *testing.T) {
	whole := media.NewI420(40, 40)
	view := &media.I420{Width: 9, Height: 7, StrideY: 40, StrideC: 20, Y: whole.Y[4*40+4:], U: whole.U[2*20+2:],
		V: whole.V[2*20+2:]}
	for _, f := range []func() error{
		func() error { return Rotate(view, yuvtest.Noise(7, 9, 1), 90) },
		func() error { return Scale(view, yuvtest.Noise(64, 48, 1), Box) },
		func() error { return YUYVToI420(view, bytes.Repeat([]byte{99}, 1000), 0) },
		func() error { return ToFullRange(view, yuvtest.Noise(9, 7, 1)) },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	view.Copy(media.NewI420(9, 7))
	if !bytes.Equal(whole.Packed(), make([]byte, len(whole.Packed()))) {
		t.Error("something outside of the view was written")
	}
}

func TestScaleBoxIsTheMean(t *testing.T) {
	src, dst := yuvtest.Noise(64, 48, 1), media.NewI420(32, 24)
	if err := Scale(dst, src, Box); err != nil {
		t.Fatal(err)
	}
	for y := range 24 {
		for x := range 32 {
			p := src.Y[2*y*64+2*x:]
			mean := (int(p[0]) + int(p[1]) + int(p[64]) + int(p[65]) + 2) / 4
			if d := int(dst.Y[y*32+x]) - mean; d < -1 || d > 1 {
				t.Fatalf("sample %d,%d is %d, the mean is %d", x, y, dst.Y[y*32+x], mean)
			}
		}
	}
}

func TestScale(t *testing.T) {
	for _, from := range [][2]int{{640, 480}, {321, 241}, {1280, 720}} {
		for _, to := range [][2]int{{160, 120}, {161, 121}, {320, 180}, {640, 480}, {801, 601}} {
			for f, least := range map[Filter]float64{Box: 33, Bilinear: 33, Nearest: 27} {
				dst := media.NewI420(to[0], to[1])
				if err := Scale(dst, yuvtest.Picture(from[0], from[1], 0), f); err != nil {
					t.Fatal(err)
				}
				if psnr := yuvtest.WorstPSNR(yuvtest.Picture(to[0], to[1], 0), dst); psnr < least {
					t.Errorf("%v to %v, filter %d: %.1f dB", from, to, f, psnr)
				}
			}
		}
	}
}

func TestScaleToAndFromOnePixel(t *testing.T) {
	for _, size := range sizes {
		one, many := yuvtest.Noise(1, 1, 3), media.NewI420(size[0], size[1])
		if err := Scale(many, one, Box); err != nil {
			t.Fatal(err)
		}
		if want := bytes.Repeat(one.Y, len(many.Y[:size[0]*size[1]])); !bytes.Equal(many.Y[:size[0]*size[1]],
			want[:size[0]*size[1]]) {
			t.Errorf("%v: one pixel does not fill the picture", size)
		}
		if err := Scale(one, yuvtest.Noise(size[0], size[1], 3), Box); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRanges(t *testing.T) {
	full, video, back := media.NewI420(256, 2), media.NewI420(256, 2), media.NewI420(256, 2)
	for i := range 256 {
		full.Y[i], full.Y[256+i] = byte(i), byte(i)
		full.U[i/2], full.V[i/2] = byte(i), byte(255-i)
	}
	if err := ToVideoRange(video, full); err != nil {
		t.Fatal(err)
	}
	for i := range 256 {
		if want := 16 + float64(i)*219/255; float64(video.Y[i]) < want-0.51 || float64(video.Y[i]) > want+0.51 {
			t.Errorf("luma %d becomes %d, want %.1f", i, video.Y[i], want)
		}
	}
	for i, s := range full.U[:128] {
		if want := 128 + (float64(s)-128)*224/255; float64(video.U[i]) < want-0.51 || float64(video.U[i]) > want+0.51 {
			t.Errorf("chroma %d becomes %d, want %.1f", s, video.U[i], want)
		}
	}
	if err := ToFullRange(back, video); err != nil {
		t.Fatal(err)
	}
	if d := worstDifference(full.Packed(), back.Packed()); d > 1 {
		t.Errorf("there and back is off by %d", d)
	}
	if err := ToFullRange(back, full); err != nil || back.Y[3] != 0 || back.Y[250] != 255 {
		t.Errorf("samples outside video range become %d and %d, want 0 and 255 (%v)", back.Y[3], back.Y[250], err)
	}
	if err := ToVideoRange(full, full); err != nil || !bytes.Equal(full.Packed(), video.Packed()) {
		t.Errorf("in place differs (%v)", err)
	}
}

func TestTransformErrorsNameTheFault(t *testing.T) {
	a, b, short := media.NewI420(8, 6), media.NewI420(8, 6), media.NewI420(8, 6)
	short.V = nil
	for want, err := range map[string]error{
		"destination is 8x6, must be 6x8":  Rotate(a, b, 90),
		"45 degrees":                       Rotate(a, b, 45),
		"share memory":                     Rotate(a, a, 180),
		"mirror: source: bad video format": MirrorH(a, short),
		"flip: destination":                FlipV(short, a),
		"filter 9":                         Scale(a, b, 9),
		"scale: source: bad video format":  Scale(a, nil, Box),
		"must be 3x3":                      ToVideoRange(a, media.NewI420(3, 3)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func BenchmarkScale(b *testing.B) {
	src := yuvtest.Picture(1280, 720, 0)
	for _, to := range [][2]int{{640, 360}, {854, 480}, {320, 180}} {
		b.Run(fmt.Sprintf("1280x720-to-%dx%d", to[0], to[1]), func(b *testing.B) {
			dst := media.NewI420(to[0], to[1])
			b.ReportAllocs()
			defer yuvtest.MeasureCPU(b)()
			for b.Loop() {
				if err := Scale(dst, src, Box); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTransforms(b *testing.B) {
	src := yuvtest.Picture(1280, 720, 0)
	for _, f := range transforms {
		b.Run(strings.ReplaceAll(f.name, " ", "-"), func(b *testing.B) {
			dst := media.NewI420(1280, 720)
			if f.turned {
				dst = media.NewI420(720, 1280)
			}
			b.ReportAllocs()
			defer yuvtest.MeasureCPU(b)()
			for b.Loop() {
				if err := f.run(dst, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkToVideoRange(b *testing.B) {
	src, dst := yuvtest.Picture(1280, 720, 0), media.NewI420(1280, 720)
	b.ReportAllocs()
	defer yuvtest.MeasureCPU(b)()
	for b.Loop() {
		if err := ToVideoRange(dst, src); err != nil {
			b.Fatal(err)
		}
	}
}
