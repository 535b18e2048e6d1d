package openh264

import (
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
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
	return img
}
