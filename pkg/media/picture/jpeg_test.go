package picture

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
)

func encode(t testing.TB, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, image.NewRGBA(image.Rect(0, 0, width, height)), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// withoutTables takes the Huffman tables off a JPEG, as AVI-style cameras do (row 29).
func withoutTables(t *testing.T, b []byte) []byte {
	t.Helper()
	at := bytes.Index(b, []byte{0xff, 0xc4})
	if at < 0 {
		t.Fatal("no tables")
	}
	end := at + 2 + int(b[at+2])<<8 + int(b[at+3])
	return append(bytes.Clone(b[:at]), b[end:]...)
}

func TestJPEG(t *testing.T) {
	whole := encode(t, 50, 33)
	s := newStream(media.JPEG)
	give := func(p Picture) {
		t.Helper()
		p.MediaType = media.JPEG
		f, ok := s.Picture(p, start)
		if !ok || !f.Key || !f.Time.Equal(start) || f.Format.GetWidthPx() != 50 || f.Format.GetHeightPx() != 33 {
			t.Fatalf("got %v, %v", f, ok)
		}
		if err := media.Validate(f.Format); err != nil {
			t.Error(err)
		}
		if _, err := jpeg.Decode(bytes.NewReader(f.Data)); err != nil {
			t.Error(err)
		}
		if wantLost := map[bool]int{true: 1}[p.Missing]; f.Lost != wantLost {
			t.Errorf("%d lost, want %d", f.Lost, wantLost)
		}
	}
	give(Picture{Data: [][]byte{whole}})
	give(Picture{Data: [][]byte{withoutTables(t, whole)}, Missing: true})
	for name, p := range map[string]Picture{
		"cut off": {Data: [][]byte{whole[:100]}}, "nothing": {}, "damaged": {Data: [][]byte{whole}, Damaged: true},
		"too small": {Data: [][]byte{encode(t, 1, 1)}}, "too large": {Data: [][]byte{encode(t, 8200, 2)}},
	} {
		p.MediaType = media.JPEG
		if _, ok := s.Picture(p, start); ok {
			t.Errorf("%s: a frame", name)
		}
	}
	if p := s.State().Passage; p.Passes || p.Why != whyJPEG {
		t.Errorf("passage %+v", p)
	}
}
