package stamp

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
)

var sizes = [][2]int{{160, 48}, {320, 240}, {640, 480}, {641, 361}, {1280, 720}, {1920, 1080}}

// noisy returns a picture full of noise, to make reading hard.
func noisy(w, h int) *media.I420 {
	img, random := media.NewI420(w, h), rand.New(rand.NewPCG(1, 2))
	for i := range img.Packed() {
		img.Packed()[i] = byte(random.Uint32())
	}
	return img
}

func TestWriteRead(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 123456000, time.UTC)
	for _, size := range sizes {
		for _, seq := range []int64{0, 1, 65535, 65536 + 7} {
			img := noisy(size[0], size[1])
			if !Write(img, now, seq) {
				t.Fatalf("%v: no room", size)
			}
			s, ok := Read(img)
			if !ok || s.Sequence != uint16(seq) || !s.Time(now.Add(time.Minute)).Equal(now) {
				t.Errorf("%v: read %+v %v, want %d at %v", size, s, ok, seq, now)
			}
		}
	}
}

func TestSurvivesHalving(t *testing.T) {
	now := time.Now().Truncate(time.Microsecond)
	for _, size := range sizes[1:] {
		img := noisy(size[0]&^1, size[1]&^1)
		Write(img, now, 99)
		s, ok := Read(halve(img))
		if !ok || s.Sequence != 99 || !s.Time(now).Equal(now) {
			t.Errorf("%v: read %+v %v", size, s, ok)
		}
	}
}

func halve(img *media.I420) *media.I420 {
	out := media.NewI420(img.Width/2, img.Height/2)
	for y := range out.Height {
		for x := range out.Width {
			top, low := img.Y[2*y*img.StrideY+2*x:], img.Y[(2*y+1)*img.StrideY+2*x:]
			out.Y[y*out.StrideY+x] = byte((int(top[0]) + int(top[1]) + int(low[0]) + int(low[1])) / 4)
		}
	}
	return out
}

func TestSurvivesJPEG(t *testing.T) {
	now := time.Now().Truncate(time.Microsecond)
	for _, size := range sizes {
		img := noisy(size[0], size[1])
		Write(img, now, 4711)
		var buf bytes.Buffer
		if err := jpeg.Encode(&buf, asYCbCr(img), &jpeg.Options{Quality: 50}); err != nil {
			t.Fatal(err)
		}
		got, err := jpeg.Decode(&buf)
		if err != nil {
			t.Fatal(err)
		}
		ycc := got.(*image.YCbCr)
		back := &media.I420{Width: size[0], Height: size[1], Y: ycc.Y, U: ycc.Cb, V: ycc.Cr, StrideY: ycc.YStride,
			StrideC: ycc.CStride}
		if s, ok := Read(back); !ok || s.Sequence != 4711 || !s.Time(now).Equal(now) {
			t.Errorf("%v: read %+v %v", size, s, ok)
		}
	}
}

func asYCbCr(img *media.I420) *image.YCbCr {
	return &image.YCbCr{
		Y: img.Y, Cb: img.U, Cr: img.V, YStride: img.StrideY, CStride: img.StrideC,
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, img.Width, img.Height),
	}
}

func TestReadsNothingWhereNothingIs(t *testing.T) {
	plain := func(luma byte) *media.I420 {
		img := media.NewI420(640, 480)
		fill(img.Y, luma)
		return img
	}
	torn := media.NewI420(640, 480)
	// A time of its own: at one in 256, the torn stamp is a good one of another size.
	Write(torn, time.Date(2026, 11, 20, 12, 0, 0, 123456000, time.UTC), 1)
	for y := 16; y < 32; y++ { // the first bit flipped
		row := torn.Y[y*torn.StrideY+16:][:16]
		fill(row, black+white-row[0])
	}
	for name, img := range map[string]*media.I420{
		"black": plain(16), "white": plain(235), "grey": plain(128), "noise": noisy(640, 480),
		"too small":     media.NewI420(16, 16),
		"one wrong bit": torn,
	} {
		if s, ok := Read(img); ok {
			t.Errorf("%s: read %+v", name, s)
		}
	}
	if Write(media.NewI420(159, 480), time.Now(), 0) {
		t.Error("a picture that is too small took a stamp")
	}
}

func TestChecksumIsAsDocumented(t *testing.T) {
	if got := checksum([]byte("123456789")); got != 0xfb {
		t.Errorf("got %#x, want 0xfb", got)
	}
}

func TestTimeChoosesTheClosest(t *testing.T) {
	s := Stamp{Micros: 5}
	for _, turns := range []int64{0, 6, 7} {
		want := time.UnixMicro(turns*microsModulus + 5)
		for _, off := range []time.Duration{-time.Hour, 0, time.Hour} {
			if got := s.Time(want.Add(off)); !got.Equal(want) {
				t.Errorf("near %v: got %v, want %v", want.Add(off), got, want)
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	img := media.NewI420(1280, 720)
	for i := range b.N {
		Write(img, time.Unix(0, 0), int64(i))
	}
}
