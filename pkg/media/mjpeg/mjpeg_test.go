package mjpeg_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media/mjpeg"
)

// whole is a picture with everything in it.
func whole(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func colours() image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 48, 32))
	for i := range 48 * 32 {
		img.Set(i%48, i/48, color.RGBA{R: byte(5 * i), G: byte(i / 48 * 8), B: byte(i), A: 255})
	}
	return img
}

// without takes out all segments of a marker that stand before the coded data.
func without(data []byte, marker byte) []byte {
	out, i := slices.Clone(data[:2]), 2
	for data[i+1] != 0xda {
		end := i + 2 + (int(data[i+2])<<8 | int(data[i+3]))
		if data[i+1] != marker {
			out = append(out, data[i:end]...)
		}
		i = end
	}
	return append(out, data[i:]...)
}

// after puts bytes behind the first marker.
func after(data []byte, more ...byte) []byte {
	return slices.Concat(data[:2], more, data[2:])
}

func segment(marker byte, payload ...byte) []byte {
	n := len(payload) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, payload...)
}

var dqt = []byte{0xff, 0xdb}

// cases are buffers and the picture that is to come out of the first one in each; nil for none.
func cases(t testing.TB) map[string]struct{ data, want []byte } {
	good, grey := whole(t, colours()), whole(t, image.NewGray(image.Rect(0, 0, 16, 16)))
	thumbnail := segment(0xe1, append([]byte("Exif\x00\x00"), grey...)...)
	padded := bytes.Replace(good, dqt, append([]byte{0xff, 0xff}, dqt...), 1)
	avi1 := segment(0xe0, append([]byte("AVI1"), 0, 0, 0, 0)...)
	cut := func(n int) []byte { return good[:len(good)-n] }
	return map[string]struct{ data, want []byte }{
		"as it should be":         {good, good},
		"grey":                    {grey, grey},
		"without tables":          {without(good, 0xc4), good},
		"without tables, AVI1":    {after(without(good, 0xc4), avi1...), after(good, avi1...)},
		"a smaller one inside":    {after(without(good, 0xc4), thumbnail...), after(good, thumbnail...)},
		"bytes before and behind": {slices.Concat([]byte("xx\xff\xd8x"), good, []byte("\x00\x00\xff\xd9")), good},
		"filler before a marker":  {padded, padded},
		"a cut one before":        {slices.Concat(cut(20), good), good},
		"cut off":                 {cut(20), nil},
		"without its last marker": {cut(2), nil},
		"head alone":              {good[:40], nil},
		"without a frame":         {without(good, 0xc0), nil},
		"end after the beginning": {[]byte{0xff, 0xd8, 0xff, 0xd9}, nil},
		"empty":                   {nil, nil},
		"text":                    {[]byte("this is no picture"), nil},
		"segment too long":        {[]byte{0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 0, 0xff, 0xd9}, nil},
		"segment too short":       {after(without(good, 0xc0), 0xff, 0xe0, 0, 0), nil},
	}
}

func TestNext(t *testing.T) {
	for name, tt := range cases(t) {
		t.Run(name, func(t *testing.T) {
			p, _, ok := mjpeg.Next(tt.data)
			if ok != (tt.want != nil) {
				t.Fatalf("found: %v", ok)
			}
			if !ok {
				return
			}
			got, err := jpeg.Decode(bytes.NewReader(p.Data))
			if err != nil {
				t.Fatal(err)
			}
			want, err := jpeg.Decode(bytes.NewReader(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			if !samePixels(got, want) || p.Width != got.Bounds().Dx() || p.Height != got.Bounds().Dy() || p.Depth != 8 ||
				p.Field {
				t.Errorf("%dx%d, depth %d, field %v: not the right picture", p.Width, p.Height, p.Depth, p.Field)
			}
			if !bytes.Contains(p.Data, []byte{0xff, 0xc4}) || !bytes.HasSuffix(p.Data, []byte{0xff, 0xd9}) {
				t.Error("it lacks its tables or its end")
			}
		})
	}
}

func samePixels(a, b image.Image) bool {
	switch a := a.(type) {
	case *image.YCbCr:
		b, ok := b.(*image.YCbCr)
		return ok && bytes.Equal(a.Y, b.Y) && bytes.Equal(a.Cb, b.Cb) && bytes.Equal(a.Cr, b.Cr)
	case *image.Gray:
		b, ok := b.(*image.Gray)
		return ok && bytes.Equal(a.Pix, b.Pix)
	}
	return false
}

// TestOwnTablesWin has a picture whose scan uses tables of its own and usual ones: those that are there must not be
// replaced.
func TestOwnTablesWin(t *testing.T) {
	good := whole(t, colours())
	p, rest, ok := mjpeg.Next(good)
	if !ok || !bytes.Equal(p.Data, good) || len(rest) != 0 {
		t.Error("a picture with tables was changed")
	}
	fields := after(good, segment(0xe0, append([]byte("AVI1"), 1)...)...)
	if p, _, ok := mjpeg.Next(fields); !ok || !p.Field {
		t.Error("half a picture is not known as one")
	}
}

func TestCameraWithoutTables(t *testing.T) {
	data, err := os.ReadFile("testdata/without-tables.mjpeg")
	if err != nil {
		t.Fatal(err)
	}
	p, rest, ok := mjpeg.Next(data)
	if !ok || p.Width != 320 || p.Height != 240 || len(rest) != 0 {
		t.Fatalf("%dx%d, %v, %d bytes left", p.Width, p.Height, ok, len(rest))
	}
	if tables := len(p.Data) - len(data); tables != 420 {
		t.Errorf("%d bytes of tables, want the 420 of ITU-T T.81", tables)
	}
}

func FuzzNext(f *testing.F) {
	for _, tt := range cases(f) {
		f.Add(tt.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for rest := data; ; {
			p, next, ok := mjpeg.Next(rest)
			if !ok {
				return
			}
			if len(next) >= len(rest) || p.Width < 1 || p.Height < 1 || !bytes.HasPrefix(p.Data, []byte{0xff, 0xd8, 0xff}) ||
				!bytes.HasSuffix(p.Data, []byte{0xff, 0xd9}) {
				t.Fatalf("%dx%d, %d bytes, %d of %d left", p.Width, p.Height, len(p.Data), len(next), len(rest))
			}
			again, left, ok := mjpeg.Next(p.Data)
			if !ok || len(left) != 0 || !bytes.Equal(again.Data, p.Data) {
				t.Fatal("a picture that was found is not found again, whole")
			}
			rest = next
		}
	})
}
