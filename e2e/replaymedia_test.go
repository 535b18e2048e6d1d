package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestReplayOfForeignFile replays what another program has recorded: the page, a WHEP player, a snapshot and Python
// show its pictures, while it plays and while it is paused, and its sound is heard. What is broken in it is left out.
func TestReplayOfForeignFile(t *testing.T) {
	python := os.Getenv("WALDO_PYTHON")
	if python == "" {
		t.Fatal("WALDO_PYTHON is not set: run the tests with `make test`, or set it to the Python of `make venv`")
	}
	file := filepath.Join(t.TempDir(), "other.mcap")
	if out := harness.Run(t, nil, python, "readers/foreign.py", file,
		"../pkg/media/picture/testdata/high.h264"); out != "12\n" {
		t.Fatalf("the clip has %q pictures", out)
	}
	replay := startReplay(t, "--loop", file)
	const camera = "camera-front"
	front := replay.Device(t, camera)
	if front.Kind != "camera" || front.Attributes["width_px"] != "96" || front.Attributes["passes"] != "yes" {
		t.Errorf("the camera is %v", front)
	}
	browser := harness.StartBrowser(t)
	page := browser.Open(t, replay.URL)
	tile := page.Tile(t, camera)
	tile.WaitFrames(t, 30)
	player(t, replay, "Pause")
	// who comes while it stands still
	shown := browser.OpenPlayer(t, replay.URL+"/healthz").Show(t, replay.URL+"/whep/"+camera)
	shown.Until(t, "document.querySelector('#shown').videoWidth === 96")
	harness.Until(t, "there is a snapshot", func() error {
		path := filepath.Join(t.TempDir(), "front.jpg")
		replay.Waldo(t, "snapshot", camera, "-o", path)
		if data, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(data), "\xff\xd8") {
			return errors.New("it is no JPEG")
		}
		return nil
	})
	player(t, replay, "Play")
	out := harness.Run(t, nil, python, "../examples/python/frames.py", front.GRPCAddress)
	if lines := strings.Count(out, "(66, 96, 3) uint8"); lines != 10 {
		t.Errorf("Python reads %d pictures:\n%s", lines, out)
	}
	for _, device := range []string{camera, "mic"} {
		stream := map[string]string{camera: "video", "mic": "audio"}[device]
		out := replay.Waldo(t, "watch", device, "--stream", stream, "--count", "3")
		if strings.Count(out, `"captureTime":"2026-11-30T07:00:0`) != 3 {
			t.Errorf("%s: waldo watch prints %s", device, out)
		}
	}
	tile.WaitFrames(t, 30)
}
