package padsim

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The request numbers of linux/uinput.h, as a C compiler computes them on a 64-bit machine.
func TestRequestCodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ got, want uint }{
		"UI_DEV_CREATE":      {create, 0x5501},
		"UI_DEV_DESTROY":     {destroy, 0x5502},
		"UI_DEV_SETUP":       {devSetup, 0x405c5503},
		"UI_ABS_SETUP":       {absSetup, 0x401c5504},
		"UI_GET_SYSNAME(64)": {getSysName, 0x8040552c},
		"UI_SET_EVBIT":       {setEvBit, 0x40045564},
		"UI_SET_KEYBIT":      {setKeyBit, 0x40045565},
		"UI_SET_RELBIT":      {setRelBit, 0x40045566},
	} {
		if c.got != c.want {
			t.Errorf("%s is %#x, want %#x", name, c.got, c.want)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	d := Description{
		Name: "x", Vendor: 0x1234, Product: 0x5678, Keys: []uint16{BtnSouth}, Moves: []uint16{RelX, RelWheel}, Repeat: true,
		Axes: []Axis{{Code: AbsHat0X, Minimum: -1, Maximum: 1, Flat: 2, Value: 3}},
	}
	axis, err := hex.DecodeString("1000" + "0000" + "03000000" + "ffffffff" + "01000000" + "00000000" + "02000000" +
		"00000000")
	if err != nil {
		t.Fatal(err)
	}
	setup := append([]byte{3, 0, 0x34, 0x12, 0x78, 0x56, 1, 0, 'x'}, make([]byte, nameSize-1+4)...)
	want := []request{
		{code: setEvBit, value: evKey}, {code: setKeyBit, value: 0x130},
		{code: setEvBit, value: evRel}, {code: setRelBit, value: 0}, {code: setRelBit, value: 8},
		{code: setEvBit, value: evRep},
		{code: setEvBit, value: evAbs},
		{code: absSetup, data: axis}, {code: devSetup, data: setup}, {code: create},
	}
	if got := d.requests(); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event Event
		want  []byte
	}{
		"press":    {Press(BtnSouth), []byte{1, 0, 0x30, 1, 1, 0, 0, 0}},
		"release":  {Release(KeyA), []byte{1, 0, 30, 0, 0, 0, 0, 0}},
		"position": {Position(AbsHat0Y, -1), []byte{3, 0, 0x11, 0, 0xff, 0xff, 0xff, 0xff}},
		"move":     {Move(RelY, 0x01020304), []byte{2, 0, 1, 0, 4, 3, 2, 1}},
	} {
		got := c.event.append([]byte{9})
		if want := append(append([]byte{9}, make([]byte, 16)...), c.want...); !bytes.Equal(got, want) ||
			len(got) != 1+eventSize {
			t.Errorf("%s is % x, want % x", name, got, want)
		}
	}
}

func TestUsualDevices(t *testing.T) {
	t.Parallel()
	for _, d := range []Description{Xbox(), Plain(), Keyboard(), Mouse()} {
		if err := d.validate(); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	if n := len(letters()); n != 26 {
		t.Errorf("there are %d letters", n)
	}
}

func TestPlugErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pad := Xbox()
	for name, c := range map[string]struct {
		change func(*Description)
		file   string
		want   string
	}{
		"no uinput":     {func(*Description) {}, file + "-missing", "modprobe uinput"},
		"not uinput":    {func(*Description) {}, file, pad.Name},
		"no name":       {func(d *Description) { d.Name = "" }, file, "name"},
		"name too long": {func(d *Description) { d.Name = strings.Repeat("x", 80) }, file, "1 to 79"},
		"empty range":   {func(d *Description) { d.Axes = []Axis{{Code: 7, Minimum: 5, Maximum: 5}} }, file, "axis 7"},
	} {
		d := pad
		c.change(&d)
		if device, err := d.plug(c.file); err == nil || device != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error about %q", name, err, c.want)
		}
	}
}

func TestDeviceThatIsGone(t *testing.T) {
	t.Parallel()
	d := &Device{gone: true}
	if err := d.Report(Press(BtnSouth)); err == nil {
		t.Error("it reports")
	}
	if err := d.Unplug(); err != nil {
		t.Errorf("unplugged again: %v", err)
	}
}
