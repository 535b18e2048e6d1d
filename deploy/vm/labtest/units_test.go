package labtest

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/deploy/vm/uvcsim"
)

// Units that began without any hardware, and before the drivers of it were loaded, open what is plugged in: udev gives
// it the rights, and the sandbox lets it through. Each may open the hardware of its kind, and nothing else; the gateway
// and the bus none. What is pulled out and returns is used again by the same process.
func TestUnitsUseTheirHardware(t *testing.T) {
	requireLab(t)
	r := installUnits(t)
	devices := []string{"front", "motors", "pad", "voice"}
	processes := map[string]string{}
	for _, name := range devices {
		r.await(name, "away")
		processes[name] = r.property(name, "MainPID")
	}

	b := buildBoard(t)
	plugged, webcam := plugIn(t, uvcsim.New())
	plugBoard(t, b)
	plugLoopback(t)
	t.Cleanup(func() { // a card that is in use cannot be removed
		if out, err := exec.Command("systemctl", "stop", unit("voice")).CombinedOutput(); err != nil {
			t.Errorf("stop voice: %v: %s", err, out)
		}
	})
	for _, name := range devices {
		r.await(name, "ready")
	}
	r.picture("front")
	checkRights(t)

	hardware := map[string]string{"front": webcam, "motors": target(t, lineByID), "pad": target(t, padByID),
		"voice": "/dev/snd/controlC0"}
	command(t, "modprobe", "uinput")
	files := append(slices.Collect(maps.Values(hardware)), "/dev/vda", "/dev/mem", "/dev/uinput", "/dev/kmsg", "/dev/null")
	for _, name := range append([]string{"gateway", "bus"}, devices...) {
		want := []string{"/dev/null"} // which everybody may open
		if own, has := hardware[name]; has {
			want = []string{own, "/dev/null"}
		}
		if got := r.opened(name, files); !slices.Equal(got, want) {
			t.Errorf("%s may open %q, want %q", name, got, want)
		}
	}

	unplug(t, plugged)
	unplugBoard(t, b)
	for _, name := range []string{"front", "motors", "pad"} {
		r.await(name, "away")
	}
	plugIn(t, uvcsim.New())
	plugBoard(t, b)
	for _, name := range devices {
		r.await(name, "ready")
		if now := r.property(name, "MainPID"); now != processes[name] {
			t.Errorf("%s is another process: %s, before %s", name, now, processes[name])
		}
	}
	r.picture("front")
}

// checkRights checks that hardware belongs to the groups that units get, and has names by its port.
func checkRights(t *testing.T) {
	t.Helper()
	for file, want := range map[string]string{webcamByID: "video 660", lineByID: "dialout 660", padByID: "input 660",
		"/dev/snd/pcmC0D0p": "audio 660"} {
		if got := strings.TrimSpace(command(t, "stat", "--dereference", "--format=%G %a", file)); got != want {
			t.Errorf("%s has the rights %s, want %s", file, got, want)
		}
	}
	for pattern, want := range map[string]string{"camera-*": webcamByID, "board-*": lineByID} {
		var found []string
		links, err := filepath.Glob("/dev/waldo/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			found = append(found, target(t, link))
		}
		if !slices.Contains(found, target(t, want)) {
			t.Errorf("/dev/waldo/%s are %q, want %s among them", pattern, found, target(t, want))
		}
	}
}

// target returns the device file that a link leads to.
func target(t *testing.T, link string) string {
	t.Helper()
	file, err := filepath.EvalSymlinks(link)
	if err != nil {
		entries, _ := os.ReadDir(filepath.Dir(link))
		t.Fatalf("%v; there are %v", err, entries)
	}
	return file
}
