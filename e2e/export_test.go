package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/stamp"
)

// TestExport records a camera that paints the time into its pictures, and exports it: the pictures in the MP4 file have
// the times that are painted into them, and the sound goes with them.
func TestExport(t *testing.T) {
	folder := t.TempDir()
	robot := harness.StartRobot(t, harness.Options{Name: "rover",
		Devices: `front: {kind: camera, source: test, width: 640, height: 480, fps: 30}
	voice: {kind: audio, source: tone}
	recorder: {kind: recorder, when: always, folder: ` + folder + `}`})
	var listed []struct {
		Robot, Recorder string
		Seconds         float64 `json:"duration_seconds"`
		Files, Devices  []string
	}
	harness.Until(t, "3 s are recorded", func() error {
		if err := json.Unmarshal([]byte(robot.Waldo(t, "recordings", "--json")), &listed); err != nil {
			t.Fatal(err)
		}
		if len(listed) != 1 || listed[0].Seconds < 3 || len(listed[0].Devices) != 3 {
			return fmt.Errorf("%+v", listed)
		}
		return nil
	})
	robot.Waldo(t, "record", "stop")
	to := filepath.Join(t.TempDir(), "drive.mp4")
	robot.Waldo(t, "export", filepath.Join(folder, listed[0].Files[0]), "--to", to)

	times := packetTimes(t, to, "v")
	stamps := stampsOf(t, to)
	if len(times) < 60 || len(times) != len(stamps) {
		t.Fatalf("%d pictures with times, %d decoded", len(times), len(stamps))
	}
	offsets := make([]time.Duration, len(times))
	for i := range times {
		offsets[i] = times[i] - stamps[i].Sub(stamps[0])
	}
	// A machine that is starved records some pictures so late that the time of their arrival counts.
	slices.Sort(offsets)
	n := len(offsets)
	if spread := offsets[n*3/4] - offsets[n/4]; spread > 2*time.Millisecond {
		t.Errorf("the times of pictures vary by %v against those that are painted into them", spread)
	}
	sound := packetTimes(t, to, "a")
	if first := sound[0] - times[0]; len(sound) < 100 || first.Abs() > 2*time.Second {
		t.Errorf("%d packets of sound, the first %v after the pictures", len(sound), first)
	}
}

// packetTimes returns when the packets of a stream of a file are shown.
func packetTimes(t *testing.T, path, stream string) (times []time.Duration) {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time",
		"-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strings.Fields(strings.ReplaceAll(string(out), ",", "")) {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, time.Duration(seconds*float64(time.Second)))
	}
	return times
}

// stampsOf returns the times that are painted into the pictures of a file of 640 x 480 pixels.
func stampsOf(t *testing.T, path string) (times []time.Time) {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "pictures.yuv")
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-pix_fmt", "yuv420p",
		"-f", "rawvideo", raw).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	const size = 640 * 480 * 3 / 2
	for ; len(data) >= size; data = data[size:] {
		picture, err := media.I420FromPacked(data[:size], 640, 480)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := stamp.Read(picture)
		if !ok {
			t.Fatal("a picture without its time")
		}
		times = append(times, s.Time(time.Now()))
	}
	return times
}
