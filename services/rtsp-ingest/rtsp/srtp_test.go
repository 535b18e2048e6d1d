package rtsp

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// TestSecrets: what one side seals the other opens, with the key from the field or from the description.
func TestSecrets(t *testing.T) {
	camera, key, err := newSecrets(7, "rtsp://cam/x")
	if err != nil {
		t.Fatal(err)
	}
	_, described, _ := strings.Cut(key.value, `data="`)
	described = strings.TrimSuffix(described, `"`)
	for _, r := range []*response{{fields: fields{key}}, {}} {
		us, _, err := newSecrets(8, "rtsp://cam/x")
		if err != nil {
			t.Fatal(err)
		}
		if err := us.accept(r, described); err != nil {
			t.Fatal(err)
		}
		for _, plain := range [][]byte{
			{0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3}, {0x80, 201, 0, 1, 0, 0, 0, 7},
		} {
			sealed, err := camera.seal(plain)
			if err != nil || bytes.Equal(sealed, plain) {
				t.Fatal(sealed, err)
			}
			if opened, err := us.open(sealed); err != nil || !bytes.Equal(opened, plain) {
				t.Error(opened, err)
			}
			sealed[len(sealed)-1] ^= 1
			if opened, err := us.open(sealed); err == nil {
				t.Errorf("a forged packet is taken: %x", opened)
			}
		}
	}
	us, _, err := newSecrets(8, "rtsp://cam/x")
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", "%", "AAAA", described[:20]} {
		if err := us.accept(&response{}, wrong); err == nil {
			t.Errorf("%q is a key", wrong)
		}
	}
}

func FuzzCameraKey(f *testing.F) {
	_, key, err := newSecrets(7, "rtsp://cam/x")
	if err != nil {
		f.Fatal(err)
	}
	_, text, _ := strings.Cut(key.value, `data="`)
	data, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, `"`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:40])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if in, err := cameraKey(data); (in == nil) == (err == nil) {
			t.Fatal(in, err)
		}
	})
}
