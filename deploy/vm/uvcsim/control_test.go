package uvcsim

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// controlCases are control transfers with the camera's required answers. They also seed the fuzz test.
var controlCases = []struct {
	name  string
	setup [8]byte
	out   []byte
	want  []byte // nil: any
	ok    bool
}{
	{"device descriptor", [8]byte{0x80, 6, 0, 1, 0, 0, 18, 0}, nil, deviceDescriptor(), true},
	{"first 8 bytes of it", [8]byte{0x80, 6, 0, 1, 0, 0, 8, 0}, nil, deviceDescriptor()[:8], true},
	{"configuration", [8]byte{0x80, 6, 0, 2, 0, 0, 0xFF, 0xFF}, nil, configurationDescriptor(), true},
	{"languages", [8]byte{0x80, 6, 0, 3, 0, 0, 255, 0}, nil, []byte{4, 3, 9, 4}, true},
	{"string that is not there", [8]byte{0x80, 6, 9, 3, 0, 0, 255, 0}, nil, nil, false},
	{"descriptor that is not there", [8]byte{0x80, 6, 0, 6, 0, 0, 10, 0}, nil, nil, false},
	{"set configuration", [8]byte{0x00, 9, 1, 0, 0, 0, 0, 0}, nil, nil, true},
	{"status", [8]byte{0x80, 0, 0, 0, 0, 0, 2, 0}, nil, []byte{0, 0}, true},
	{"vendor request", [8]byte{0xC0, 1, 0, 0, 0, 0, 4, 0}, nil, nil, false},
	{"get probe", [8]byte{0xA1, getCur, 0, 1, 1, 0, 34, 0}, nil, defaultSetting().probe(), true},
	{"set probe", [8]byte{0x21, setCur, 0, 1, 1, 0, 34, 0}, setting{frame: 3, interval: 666_666}.probe(), nil, true},
	{"set probe too short", [8]byte{0x21, setCur, 0, 1, 1, 0, 3, 0}, []byte{1, 2, 3}, nil, false},
	{"length of a probe", [8]byte{0xA1, getLen, 0, 1, 1, 0, 2, 0}, nil, []byte{34, 0}, true},
	{"greatest brightness", [8]byte{0xA1, getMax, 0, 2, 0, 2, 2, 0}, nil, []byte{255, 0}, true},
	{"set brightness", [8]byte{0x21, setCur, 0, 2, 0, 2, 2, 0}, []byte{7, 0}, nil, true},
	{"set brightness too high", [8]byte{0x21, setCur, 0, 2, 0, 2, 2, 0}, []byte{0, 1}, nil, false},
	{"set brightness without a value", [8]byte{0x21, setCur, 0, 2, 0, 2, 0, 0}, nil, nil, false},
	{"control that is not there", [8]byte{0xA1, getCur, 0, 3, 0, 2, 2, 0}, nil, nil, false},
}

func TestControlTransfers(t *testing.T) {
	t.Parallel()
	for _, c := range controlCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, ok := newControls().handle(parseSetup(c.setup), c.out)
			if ok != c.ok {
				t.Errorf("accepted: %v, want %v", ok, c.ok)
			}
			if c.want != nil && !bytes.Equal(got, c.want) {
				t.Errorf("answer % x, want % x", got, c.want)
			}
		})
	}
}

func TestControlsRemember(t *testing.T) {
	t.Parallel()
	c := newControls()
	c.handle(parseSetup([8]byte{0x21, setCur, 0, 2, 0, 2, 2, 0}), []byte{200, 0})
	got, _ := c.handle(parseSetup([8]byte{0xA1, getCur, 0, 2, 0, 2, 2, 0}), nil)
	if want := []byte{200, 0}; !bytes.Equal(got, want) {
		t.Errorf("brightness % x, want % x", got, want)
	}
	c.handle(parseSetup([8]byte{0x21, setCur, 0, 2, 1, 0, 34, 0}), setting{frame: 2, interval: 1_000_000}.probe())
	if want := (setting{frame: 2, interval: 1_000_000}); c.current() != want {
		t.Errorf("committed %+v, want %+v", c.current(), want)
	}
}

func TestParseProbe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		frame    byte
		interval uint32
		want     setting
	}{
		"as offered":          {2, 666_666, setting{frame: 2, interval: 666_666}},
		"between two rates":   {1, 700_000, setting{frame: 1, interval: 666_666}},
		"too fast":            {1, 1, setting{frame: 1, interval: 333_333}},
		"too slow":            {1, 1 << 31, setting{frame: 1, interval: 1_000_000}},
		"size 0":              {0, 333_333, defaultSetting()},
		"size not there":      {200, 333_333, defaultSetting()},
		"last of all sizes":   {byte(len(Sizes())), 333_333, setting{frame: 3, interval: 333_333}},
		"nothing said at all": {0, 0, defaultSetting()},
	} {
		b := make([]byte, probeSize)
		b[3] = c.frame
		binary.LittleEndian.PutUint32(b[4:], c.interval)
		got, ok := parseProbe(b)
		if !ok || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, ok, c.want)
		}
		if again, ok := parseProbe(got.probe()); !ok || again != got {
			t.Errorf("%s: what the camera answers reads as %+v, want %+v", name, again, got)
		}
	}
}

func FuzzControl(f *testing.F) {
	for _, c := range controlCases {
		f.Add(c.setup[:], c.out)
	}
	f.Fuzz(func(t *testing.T, head, out []byte) {
		c := newControls()
		s := parseSetup([8]byte(append(head, make([]byte, 8)...)))
		if got, _ := c.handle(s, out); len(got) > int(s.length) {
			t.Errorf("%d bytes to a host with room for %d", len(got), s.length)
		}
		now := c.current()
		if now.frame < 1 || int(now.frame) > len(Sizes()) || now.period() <= 0 {
			t.Errorf("agreed on the impossible: %+v", now)
		}
		if c.brightness > BrightnessMax {
			t.Errorf("brightness %d", c.brightness)
		}
	})
}
