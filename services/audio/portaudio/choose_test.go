package portaudio

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for leaks, but for calls of PortAudio that never end: see ErrStuck.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(
		"github.com/waldo-robot/waldo/services/audio/portaudio.(*Library).within.func1"))
}

func TestChoose(t *testing.T) {
	names := []string{"USB Audio: - (hw:1,0)", "HDA Intel: ALC (hw:0,0)", "HDA Intel: HDMI (hw:0,3)", "default",
		"sysdefault"}
	const all = `"USB Audio: - (hw:1,0)", "HDA Intel: ALC (hw:0,0)", "HDA Intel: HDMI (hw:0,3)", "default", "sysdefault"`
	for wanted, test := range map[string]struct {
		names []string
		want  int
		says  string
	}{
		"usb":     {names, 0, ""},
		"hw:0,3":  {names, 2, ""},
		"DEFAULT": {names, 3, ""},
		"hda intel": {names, 0,
			`alone has "hda intel" in its name: "HDA Intel: ALC (hw:0,0)", "HDA Intel: HDMI (hw:0,3)" have; use more of one`},
		"webcam":    {names, 0, `has "webcam" in its name; there are: ` + all},
		"none here": {nil, 0, `has "none here" in its name, nor any other: plug one in, or use another source or speaker`},
	} {
		got, err := choose(wanted, test.names)
		if test.says == "" && (err != nil || got != test.want) || test.says != "" &&
			(err == nil || err.Error() != test.says) {
			t.Errorf("%s: %d, %v; want %d, %s", wanted, got, err, test.want, test.says)
		}
	}
}

func TestBusy(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cards", " 0 [Loopback       ]: Loopback - Loopback\n                      Loopback 1\n 1 [Device         ]: "+
		"USB-Audio - USB PnP Sound Device\n")
	write("card0/pcm0p/info", "card: 0\ndevice: 0\nstream: PLAYBACK\nname: Loopback PCM\nsubdevices_count: "+
		"1\nsubdevices_avail: 1\n")
	write("card1/pcm0c/info", "card: 1\ndevice: 0\nstream: CAPTURE\nname: USB Audio\nsubdevices_count: "+
		"1\nsubdevices_avail: 0\n")
	write("card2/pcm0c/info", "card: 2\ndevice: 0\nname: Odd\nsubdevices_avail: 0\n")
	const usb = "USB PnP Sound Device: USB Audio (hw:1,0)"
	for _, test := range []struct{ direction, wanted, want string }{
		{"c", "pnp", usb}, {"c", "hw:1,0", usb}, {"c", Default, usb}, {"c", "hw:2,0", "card 2: Odd (hw:2,0)"},
		{"c", "loopback", ""}, {"p", "loopback", ""}, {"p", "pnp", ""}, {"p", Default, ""},
	} {
		if got := busy(root, test.direction, test.wanted); got != test.want {
			t.Errorf("%s %q: %q, want %q", test.direction, test.wanted, got, test.want)
		}
	}
	if got := busy(filepath.Join(root, "none"), "c", Default); got != "" {
		t.Errorf("without cards: %q", got)
	}
}
